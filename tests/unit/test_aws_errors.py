"""AWS's errors in our words: which kind, which exit code, and nothing of what was sent."""

from __future__ import annotations

import boto3
import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from schoolctl.aws.errors import translated
from schoolctl.errors import (
    AccessDeniedError,
    ConflictError,
    CredentialsError,
    ExitCode,
    NotFoundError,
    SchoolctlError,
    UnavailableError,
    UsageError,
)


def fail_with(error: Exception) -> SchoolctlError:
    with pytest.raises(SchoolctlError) as caught, translated("read parameter /a/b"):
        raise error
    return caught.value


def answer(code: str, message: str = "said AWS", status: int = 400) -> boto.ClientError:
    return boto.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "GetParameters",
    )


@pytest.mark.parametrize(
    ("code", "status", "kind", "exit_code"),
    [
        ("AccessDeniedException", 400, AccessDeniedError, ExitCode.FAILED),
        ("UnauthorizedOperation", 403, AccessDeniedError, ExitCode.FAILED),
        ("ExpiredTokenException", 400, CredentialsError, ExitCode.CREDENTIALS),
        ("ExpiredToken", 403, CredentialsError, ExitCode.CREDENTIALS),
        ("UnrecognizedClientException", 400, CredentialsError, ExitCode.CREDENTIALS),
        ("InvalidClientTokenId", 403, CredentialsError, ExitCode.CREDENTIALS),
        ("SignatureDoesNotMatch", 403, CredentialsError, ExitCode.CREDENTIALS),
        ("ThrottlingException", 400, UnavailableError, ExitCode.FAILED),
        ("ThrottledException", 400, UnavailableError, ExitCode.FAILED),
        ("TooManyUpdates", 400, UnavailableError, ExitCode.FAILED),
        ("SomethingNew", 429, UnavailableError, ExitCode.FAILED),
        ("InternalServerError", 500, UnavailableError, ExitCode.FAILED),
        ("ParameterAlreadyExists", 400, ConflictError, ExitCode.FAILED),
        ("ResourceExistsException", 400, ConflictError, ExitCode.FAILED),
        ("ParameterNotFound", 400, NotFoundError, ExitCode.FAILED),
        ("NoSuchEntity", 404, NotFoundError, ExitCode.FAILED),
        ("ValidationException", 400, SchoolctlError, ExitCode.FAILED),
    ],
)
def test_an_answer_becomes_its_kind_of_error(
    code: str, status: int, kind: type[SchoolctlError], exit_code: ExitCode
) -> None:
    error = fail_with(answer(code, status=status))

    assert type(error) is kind
    assert error.exit_code is exit_code
    assert error.what == "could not read parameter /a/b"
    assert "said AWS" in error.why


def test_a_denied_action_is_named_with_the_way_to_a_policy() -> None:
    message = "User: arn:aws:iam::1:user/ann is not authorized to perform: ssm:GetParameters on x"

    error = fail_with(answer("AccessDeniedException", message))

    assert isinstance(error, AccessDeniedError)
    assert error.action == "ssm:GetParameters"
    assert "ssm:GetParameters" in error.hint


def test_a_denial_that_names_no_action_names_the_operation() -> None:
    error = fail_with(answer("AccessDeniedException", "no"))

    assert isinstance(error, AccessDeniedError)
    assert error.action is None
    assert "GetParameters" in error.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.NoCredentialsError(), CredentialsError),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), CredentialsError),
        (boto.ProfileNotFound(profile="x"), CredentialsError),
        (boto.ConfigParseError(path="~/.aws/config"), CredentialsError),
        (boto.SSOTokenLoadError(error_msg="x"), CredentialsError),
        (boto.UnauthorizedSSOTokenError(), CredentialsError),
        (boto.TokenRetrievalError(provider="sso", error_msg="x"), CredentialsError),
        (boto.CredentialRetrievalError(provider="x", error_msg="x"), CredentialsError),
        (boto.LoginRefreshRequired(), CredentialsError),
        (boto.NoRegionError(), UsageError),
        (boto.InvalidRegionError(region_name="x y"), UsageError),
        (boto.EndpointConnectionError(endpoint_url="http://x"), UnavailableError),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), UnavailableError),
        (boto.ReadTimeoutError(endpoint_url="http://x"), UnavailableError),
        (boto.ConnectionClosedError(endpoint_url="http://x"), UnavailableError),
        (ResponseParserError("<html>canary"), UnavailableError),
        (boto.UnknownServiceError(service_name="x", known_service_names="y"), SchoolctlError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_without_an_answer_becomes_its_kind_of_error(
    error: Exception, kind: type[SchoolctlError]
) -> None:
    found = fail_with(error)

    assert type(found) is kind
    assert "canary" not in str(found.document())


def test_a_value_that_botocore_refuses_is_not_repeated() -> None:
    client = boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )

    with pytest.raises(SchoolctlError) as caught, translated("change secret x"):
        client.put_secret_value(SecretId="x", SecretString=["canary"])  # type: ignore[arg-type]  # the point

    assert "canary" in str(caught.value.__cause__)  # what botocore says by itself
    assert "canary" not in str(caught.value.document())


def test_what_is_no_error_of_aws_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), translated("count"):
        raise ZeroDivisionError
