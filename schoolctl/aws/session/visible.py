"""What AWS does not take or see yet because of a moment ago, told apart from what is wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.denials import is_denial
from schoolctl.aws.session.errors import error_message, from_client_error, is_code, translated
from schoolctl.base.errors import SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAY_BE_EARLY = (
    "InvalidParameterException",
    "ClientException",
    "TargetGroupNotFoundException",
    "InvalidGroup.NotFound",
    "InvalidSecurityGroupID.NotFound",
)


class NotVisibleYetError(SchoolctlError):
    """AWS does not see or take yet what follows a change a moment ago; or it is truly wrong."""


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
    if not is_code(error, *_MAY_BE_EARLY) or is_denial(message):
        return False
    from schoolctl.aws.session.causes import cause_of

    cause = cause_of(message)
    return is_code(error, "TargetGroupNotFoundException") or (cause is not None and cause.early)
