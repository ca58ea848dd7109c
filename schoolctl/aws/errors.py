"""AWS's errors into ours: what happened, AWS's own words as the why, and a cure.

Nothing here repeats a request: botocore's validation errors quote the value that was sent, which
may be a secret.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from schoolctl.errors import (
    AccessDeniedError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    SchoolctlError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ForbiddenException"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "InvalidAccessKeyId",
}
_THROTTLED = {
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
}
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_CONFLICTS = ("AlreadyExists", "ResourceExists", "Duplicate")


def error_code(error: boto.ClientError) -> str:
    """Give the code of AWS's answer, such as `RepositoryNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: boto.ClientError) -> str:
    """Give the message of AWS's answer."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_code(error: boto.ClientError, *codes: str) -> bool:
    """Say whether AWS answered one of `codes`."""
    return error_code(error) in codes


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every botocore error of the block into a `SchoolctlError`.

    Args:
        doing: what was being done, as the end of "could not ...": `read parameter /a/b`.
    """
    try:
        yield
    except boto.ClientError as error:
        raise from_client_error(error, doing) from error
    except boto.BotoCoreError as error:
        raise from_botocore_error(error, doing) from error
    except ResponseParserError as error:
        # Its text quotes the answer, which is somebody else's page.
        raise UnavailableError(
            f"could not {doing}",
            why="what answered was not AWS",
            hint="check `endpoint_url`, AWS_ENDPOINT_URL, and any proxy in between",
        ) from error


def from_client_error(error: boto.ClientError, doing: str) -> SchoolctlError:
    """Give our error for an answer that AWS refused."""
    code, message = error_code(error), error_message(error)
    what = f"could not {doing}"
    why = f"AWS answered {code}: {message}"
    if code in _DENIED:
        return _denied(error, what, message)
    if code in _EXPIRED:
        return CredentialsError(
            what, why=why, hint="renew the credentials (`aws sso login`), then run it again"
        )
    if code in _UNKNOWN_KEY:
        return CredentialsError(
            what, why=why, hint="run `schoolctl profile show` to see which keys are used"
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return UnavailableError(
            what, why=why, hint="AWS limits the rate of calls; wait a minute and run it again"
        )
    if status >= _SERVER_ERROR:
        return UnavailableError(what, why=why, hint="AWS has a fault of its own; run it again")
    if any(each in code for each in _CONFLICTS):
        return ConflictError(what, why=why)
    if "NotFound" in code or code == "NoSuchEntity":
        return NotFoundError(what, why=why)
    return SchoolctlError(what, why=why)


def _denied(error: boto.ClientError, what: str, message: str) -> AccessDeniedError:
    found = _ACTION.search(message)
    action = found[1] if found else None
    needed = action or f"the action behind {error.operation_name}"
    return AccessDeniedError(
        what,
        action=action,
        why=f"AWS denied {needed}: {message}",
        hint=f"ask for a policy that allows {needed}; `schoolctl profile show` tells who you are",
    )


def from_botocore_error(error: boto.BotoCoreError, doing: str) -> SchoolctlError:
    """Give our error for a failure before or without an answer of AWS."""
    what = f"could not {doing}"
    match error:
        case boto.NoRegionError() | boto.InvalidRegionError():
            return UsageError(what, why=str(error), hint="check `region:` of the environment")
        case (
            boto.HTTPClientError() | boto.ConnectionError()
        ):  # refused, reset, timed out, no such host
            return UnavailableError(
                what,
                why=str(error),
                hint="check the network, the spelling of the region, and `endpoint_url`",
            )
        case boto.ParamValidationError():
            # Its text quotes the value that was sent.
            return SchoolctlError(what, why="a value has a form that AWS does not take")
        case _:
            return _credentials_error(error, what) or SchoolctlError(what, why=str(error))


def _credentials_error(error: boto.BotoCoreError, what: str) -> CredentialsError | None:
    """Give our error for credentials that are missing, partial or expired; None for others."""
    match error:
        case boto.ProfileNotFound():
            return CredentialsError(
                str(error).rstrip("."),
                why="neither ~/.aws/config nor ~/.aws/credentials has it",
                hint="run `schoolctl profile list`, then `schoolctl profile use NAME`",
            )
        case boto.NoCredentialsError():
            return CredentialsError(
                what,
                why="no AWS credentials were found",
                hint="run `schoolctl profile list`, then `schoolctl profile use NAME`",
            )
        case boto.PartialCredentialsError():
            return CredentialsError(
                what, why=str(error), hint="give both the access key and the secret key"
            )
        case boto.ConfigParseError() | boto.ConfigNotFound():
            return CredentialsError(
                what, why=str(error), hint="correct the file; it has `[profile NAME]` sections"
            )
        case _ if _is_sign_in_error(error):
            return CredentialsError(
                what, why=str(error), hint="sign in again: `aws sso login --profile NAME`"
            )
        case _:
            return None


def _is_sign_in_error(error: boto.BotoCoreError) -> bool:
    # botocore has a dozen of these and adds some with each way to sign in.
    name = type(error).__name__
    return any(each in name for each in ("SSO", "Token", "Login", "CredentialRetrieval"))
