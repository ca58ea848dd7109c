"""Translation of botocore's errors into schoolctl's.

Nothing here repeats a request: botocore's validation errors quote the value that was sent, which
may be a secret.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from schoolctl.aws.session.causes import cause_of, is_limit, limit_hint
from schoolctl.aws.session.denials import read_denial
from schoolctl.base.denial import DENIED_CODES, denied_action, is_denial
from schoolctl.base.errors import (
    AccessDeniedError,
    ConflictError,
    CredentialsError,
    ExitCode,
    NotFoundError,
    NotVisibleYetError,
    RejectedKeyError,
    SchoolctlError,
    UnavailableError,
    UnknownOperationError,
    UsageError,
)
from schoolctl.base.text import duration, without_user_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.aws.session.denials import Denial
    from schoolctl.model.values import SecretValue


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
    "InvalidAccessKeyId",
}
_SKEWED = {"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}
_SIGNED_AT = re.compile(
    r"Signature (?:expired|not yet current): (\d{8}T\d{6}Z).*?\((\d{8}T\d{6}Z) [-+] ", re.IGNORECASE
)
_SIGN_IN = {
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "CreateToken",
    "GetRoleCredentials",
}
"""The operations that botocore calls by itself, to get credentials for what was asked of it."""
_THROTTLED = {
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
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
# What follows is the request as AWS read it, the session's token included.
_CANONICAL = re.compile(r"\s*The Canonical String for this request.*", re.DOTALL)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_CONFLICTS = ("AlreadyExists", "ResourceExists", "Duplicate")
_CLOCK_HINT = "set this machine's clock (`timedatectl` tells whether it is synchronised)"
_MAY_BE_EARLY = (
    "InvalidParameterException",
    "ClientException",
    "TargetGroupNotFoundException",
    "InvalidGroup.NotFound",
    "InvalidSecurityGroupID.NotFound",
)


def error_code(error: boto.ClientError) -> str:
    """Give the code of AWS's answer, such as `RepositoryNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: boto.ClientError) -> str:
    """Give the message of AWS's answer."""
    return _CANONICAL.sub("", str(error.response.get("Error", {}).get("Message", "")))


def is_code(error: boto.ClientError, *codes: str) -> bool:
    """Say whether AWS answered one of `codes`."""
    return error_code(error) in codes


@contextmanager
def translated(doing: str, *, hide: SecretValue | None = None) -> Iterator[None]:
    """Turn every botocore error of the block into a `SchoolctlError`.

    Args:
        doing: what was being done, as the end of "could not ...": `read parameter /a/b`.
        hide: a value that is sent; words of AWS that quote it are left out.
    """
    try:
        yield
    except boto.ClientError as error:
        # By AWS's own words, which may be left out for the value that they quote by chance.
        cause = cause_of(f"{error_code(error)} {error_message(error)}")
        if hide is not None:
            _leave_out(error, hide.reveal())
        raised = from_client_error(error, doing)
        raised.hint = raised.hint or (cause.hint if cause is not None else "")
        raise raised from error
    except boto.ParamValidationError as error:
        # Without the cause, which quotes the value: a traceback would show it.
        raise from_botocore_error(error, doing) from None
    except boto.BotoCoreError as error:
        raise from_botocore_error(error, doing) from error
    except OSError as error:
        # botocore wraps what happens on the network; this is a file or a program of a profile.
        raise CredentialsError(
            f"could not {doing}",
            why=": ".join(filter(None, (str(error.filename or ""), error.strerror or str(error)))),
            hint="check `credential_process` and `web_identity_token_file` of the profile, and"
            " AWS_WEB_IDENTITY_TOKEN_FILE",
        ) from error
    except ResponseParserError as error:
        # Its text quotes the answer, which is somebody else's page.
        raise UnavailableError(
            f"could not {doing}",
            why="what answered was not AWS",
            hint="check `endpoint_url`, AWS_ENDPOINT_URL, and any proxy in between",
        ) from error


def _leave_out(error: boto.ClientError, value: str) -> None:
    """Take the message out of an error if it quotes `value`, as itself or as it was sent."""
    message = error_message(error)
    if any(form in message for form in (value, json.dumps(value)[1:-1])):
        action = denied_action(message)
        denial = f"not authorized to perform: {action} " if action else ""
        error.response["Error"]["Message"] = (
            f"{denial}(its message quotes the value, and is left out)"
        )
        error.args = (error_code(error),)


def from_client_error(error: boto.ClientError, doing: str) -> SchoolctlError:
    """Give our error for an answer that AWS refused."""
    code, message = error_code(error), error_message(error)
    what = f"could not {doing}"
    said = "(a page)" if message.lstrip().startswith("<") else message
    why = f"AWS answered {code}: {said}" if said else f"AWS answered {code}"
    found = _identity_error(error, what, why)
    if found is not None:
        return found
    denial = find_denial(code, message, error.operation_name)
    if denial is not None:
        return AccessDeniedError(what, action=denial.action, why=denial.why, hint=denial.hint)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return UnavailableError(
            what, why=why, hint="AWS limits the rate of calls; wait a minute and run it again"
        )
    if status >= _SERVER_ERROR:
        return UnavailableError(what, why=why, hint="AWS has a fault of its own; run it again")
    return _refused(error, what, why)


def find_denial(code: str, message: str, operation: str) -> Denial | None:
    """Return what a denial says; None for any other answer."""
    if not is_denial(code, message):
        return None
    return read_denial(code, message, operation)


def _refused(error: boto.ClientError, what: str, why: str) -> SchoolctlError:
    """Give our error for a request that AWS understood and does not carry out."""
    code = error_code(error)
    cause = cause_of(f"{code} {error_message(error)}")
    hint = cause.hint if cause is not None else ""
    if is_limit(code):
        return SchoolctlError(what, why=why, hint=hint or limit_hint(error.operation_name))
    if code.isdigit() or code == "UnknownOperationException":
        return UnknownOperationError(
            what,
            why=f"{why}\nwhat answered does not know {error.operation_name}",
            hint="a local AWS may lack it; else check `endpoint_url` and AWS_ENDPOINT_URL: each"
            " must lead to the right service",
        )
    if any(each in code for each in _CONFLICTS):
        return ConflictError(what, why=why, hint=hint)
    if "NotFound" in code or code == "NoSuchEntity":
        return NotFoundError(what, why=why, hint=hint)
    return SchoolctlError(what, why=why, hint=hint)


# Who the caller is


def _identity_error(error: boto.ClientError, what: str, why: str) -> SchoolctlError | None:
    """Give our error for an answer that does not take the caller for who they are; else None."""
    code, message = error_code(error), error_message(error)
    skew = _skew(message)
    if skew is not None or code in _SKEWED:
        return _skewed(error, what, why, skew)
    if code in _EXPIRED:
        return CredentialsError(
            what,
            why=why,
            hint="renew the credentials (`aws sso login --profile NAME`), then run it again",
        )
    if error.operation_name in _SIGN_IN and (code in DENIED_CODES or code.startswith("Invalid")):
        return CredentialsError(
            what,
            why=f"no credentials came of {error.operation_name}; {why}",
            hint="check the role that the profile takes, and who it trusts;"
            " with SSO, sign in again: `aws sso login --profile NAME`",
        )
    if code in _UNKNOWN_KEY:
        return RejectedKeyError(
            what, why=why, hint="run `schoolctl profile show` to see which keys are used"
        )
    return None


def _skew(message: str) -> float | None:
    """Give by how many seconds this machine's clock is ahead of AWS's, where AWS says so."""
    found = _SIGNED_AT.search(message)
    if found is None:
        return None
    ours, theirs = (
        datetime.strptime(each, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for each in found.groups()
    )
    return (ours - theirs).total_seconds()


def _skewed(error: boto.ClientError, what: str, why: str, skew: float | None) -> SchoolctlError:
    if skew is not None:
        side = "ahead of" if skew > 0 else "behind"
        why = f"this machine's clock is {duration(abs(skew))} {side} AWS's\n{why}"
        return SchoolctlError(what, why=why, hint=_CLOCK_HINT, exit_code=ExitCode.CREDENTIALS)
    # EC2 gives this code both to an old signature and to a session that has ended.
    told = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    clock = f"AWS's clock says {told}" if told else ""
    return CredentialsError(
        what,
        why="\n".join(filter(None, (why, clock))),
        hint=f"renew the credentials (`aws sso login --profile NAME`), or {_CLOCK_HINT}",
    )


def from_botocore_error(error: boto.BotoCoreError, doing: str) -> SchoolctlError:
    """Give our error for a failure before or without an answer of AWS."""
    what = f"could not {doing}"
    said = without_user_info(str(error))  # an endpoint's address may hold a password
    match error:
        case boto.NoRegionError() | boto.InvalidRegionError():
            return UsageError(what, why=said, hint="check `region:` of the environment")
        case boto.ProxyConnectionError():
            return UnavailableError(
                what,
                why=said,
                hint="check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names what is reached without one",
            )
        case boto.SSLError():
            return UnavailableError(
                what,
                why=said,
                hint="where a proxy opens TLS, name its certificates in AWS_CA_BUNDLE; an"
                " `endpoint_url` of this machine mostly begins with http://",
            )
        case (
            boto.HTTPClientError() | boto.ConnectionError()
        ):  # refused, reset, timed out, no such host
            return UnavailableError(
                what,
                why=said,
                hint="check the network, the spelling of the region, and `endpoint_url`",
            )
        case boto.ParamValidationError():
            # Its text quotes the value that was sent.
            return SchoolctlError(what, why="a value has a form that AWS does not take")
        case boto.EndpointProviderError() | boto.UnknownEndpointError():
            return UsageError(
                what,
                why=said,
                hint="AWS has no such service in that region: check `region:` of the environment",
            )
        case _:
            return _credentials_error(error, what) or SchoolctlError(what, why=said)


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
        case boto.RefreshWithMFAUnsupportedError():
            return CredentialsError(
                what,
                why="the session that the MFA code began has ended",
                hint="run it again: the next session begins with a new code",
            )
        case boto.InvalidConfigError() | boto.UnknownCredentialError():
            return CredentialsError(
                what,
                why=str(error),
                hint="correct the profile in ~/.aws/config: a role takes a `source_profile` or a"
                " `credential_source` that leads to credentials",
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


@contextmanager
def changing(doing: str, *early: str) -> Iterator[None]:
    """Turn botocore's errors into ours, as `translated` does, with what may be visible in a moment.

    Args:
        doing: what was being done, as the end of "could not ...".
        early: codes that this call may be answered with soon after another one.

    Raises:
        NotVisibleYetError: the same call may succeed some seconds later.
    """
    with translated(doing):
        try:
            yield
        except ClientError as error:
            if is_code(error, *early) or _may_be_early(error):
                told = from_client_error(error, doing)
                raise NotVisibleYetError(told.what, why=told.why, hint=told.hint) from error
            raise


def _may_be_early(error: ClientError) -> bool:
    message = error_message(error)
    if not is_code(error, *_MAY_BE_EARLY) or denied_action(message):
        return False

    cause = cause_of(message)
    return is_code(error, "TargetGroupNotFoundException") or (cause is not None and cause.early)
