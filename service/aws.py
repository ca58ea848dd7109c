"""Reads parameters from SSM and the password from Secrets Manager.

Uses botocore alone: boto3 adds start-up time and megabytes to two calls. AWS_ENDPOINT_URL, the
task role and all else that botocore knows works as ever.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

# Short: a task without a route to AWS should say so before its health check fails. While
# requests wait for a new password there is no time for more than one attempt.
_CONNECT_SECONDS: Final = 2
_READ_SECONDS: Final = 3
START_ATTEMPTS: Final = 3
REFRESH_ATTEMPTS: Final = 1

# Secrets Manager's labels: the value in use, and one that is about to be, while it is rotated.
CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"

_MEANINGS: Final = {
    "AccessDeniedException": "the task role may not read it",
    "ResourceNotFoundException": "it does not exist",
    "ParameterNotFound": "it does not exist",
    "InvalidRequestException": "it is scheduled for deletion, or has no value yet",
    "DecryptionFailure": "its KMS key cannot be used",
    "InvalidKeyId": "its KMS key cannot be used",
    "UnrecognizedClientException": "the credentials are not valid",
    "ExpiredTokenException": "the credentials have expired",
}


class AwsReadError(Exception):
    """A value could not be read. The text says why and quotes no value."""


@dataclass(frozen=True, slots=True)
class Login:
    """A database user and its password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where the password is kept: an ARN or name in Secrets Manager, and the region to ask."""

    secret_id: str
    region: str


def read_parameters(names: Sequence[str], region: str) -> dict[str, str]:
    """Read SSM parameters, decrypted, in one call.

    Args:
        names: at most ten names or ARNs.
        region: an AWS region.

    Returns:
        The values by the given names; those that do not exist are left out.

    Raises:
        AwsReadError: the call as a whole failed.

    Source: SSM GetParameters. Unknown names arrive in InvalidParameters with status 200.
    """
    client: SSMClient = _client("ssm", region, START_ATTEMPTS)
    try:
        # A name given twice is an error of the whole call.
        answer = client.get_parameters(Names=sorted(set(names)), WithDecryption=True)
    except (ClientError, BotoCoreError, ValueError) as error:
        raise AwsReadError(_reason(error)) from None
    finally:
        client.close()
    found: dict[str, str] = {}
    for parameter in answer["Parameters"]:
        value = parameter.get("Value", "")
        # Asked for by ARN or as name:version, it comes back under its plain name.
        full_name = parameter.get("Name", "") + parameter.get("Selector", "")
        for key in (parameter.get("Name"), parameter.get("ARN"), full_name):
            if key:
                found[key] = value
    return {name: found[name] for name in names if name in found}


def read_login(
    source: SecretSource, default_user: str, *, attempts: int, stage: str = CURRENT
) -> Login:
    """Read the database login from Secrets Manager.

    Args:
        source: the secret. It is the bare password, or JSON as RDS writes it; the user name in
            such JSON wins, since rotation may alternate between two users.
        default_user: the user where the secret names none.
        attempts: how often a call without an answer is made.
        stage: the label of the version to read.

    Raises:
        AwsReadError: no such secret or version, no permission, no answer, or JSON without a
            password.

    Source: Secrets Manager GetSecretValue.
    """
    client: SecretsManagerClient = _client("secretsmanager", source.region, attempts)
    try:
        answer = client.get_secret_value(SecretId=source.secret_id, VersionStage=stage)
        text = answer.get("SecretString")
    except (ClientError, BotoCoreError, ValueError) as error:
        raise AwsReadError(_reason(error)) from None
    finally:
        client.close()
    if text is None:
        raise AwsReadError("it is binary; the password must be text or JSON")
    return parse_secret(text, default_user)


def parse_secret(text: str, default_user: str) -> Login:
    """Take the login out of a secret's text: a bare password, or JSON of the RDS shape.

    Raises:
        AwsReadError: empty, or a JSON object without a password.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        user = value.get("username") or default_user
        password = value.get("password")
        if not isinstance(password, str) or not password or not isinstance(user, str):
            raise AwsReadError('it is JSON without a text "password"')
        return Login(user, password)
    # A line end at the end comes from `echo` or an editor, never from a password.
    password = text.rstrip("\r\n")
    if not password:
        raise AwsReadError("it is empty")
    return Login(default_user, password)


def _client(service: str, region: str, attempts: int) -> Any:  # noqa: ANN401 - the stubs name a class for each service
    # From a new session each time: reads are rare, and one shared with forked workers would share
    # its open sockets with them.
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return botocore.session.Session().create_client(service, region, config=config)


def _reason(error: Exception) -> str:
    """Put an AWS failure into words, without AWS's own: those may quote what was sent."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "unknown")
        return f"{_MEANINGS.get(code, 'AWS refused the call')} ({code})"
    return (
        f"AWS gave no answer ({type(error).__name__}): check the region, the task's route to AWS "
        "(NAT gateway or VPC endpoints) and its credentials"
    )
