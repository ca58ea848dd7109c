"""What ECS does not see yet because it was created a moment ago, told apart from what is wrong."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.errors import error_message, from_client_error, is_code, translated
from schoolctl.errors import SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator

# ECS's words for what was created a moment ago and has not reached every part of AWS: a role, the
# service-linked role of an account's first service, a target group or its load balancer.
_NOT_VISIBLE = re.compile(
    r"unable to assume|role is not valid|cannot be assumed|service linked role"
    r"|does not have an associated load balancer|target ?group.* (does not exist|not found)",
    re.IGNORECASE,
)
_MAY_BE_EARLY = ("InvalidParameterException", "ClientException", "TargetGroupNotFoundException")


class NotVisibleYetError(SchoolctlError):
    """ECS does not see something yet that was created a moment ago; or it is truly wrong."""


@contextmanager
def changing(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours, as `translated` does, with what may be visible in a moment.

    Raises:
        NotVisibleYetError: the same call may succeed some seconds later.
    """
    with translated(doing):
        try:
            yield
        except ClientError as error:
            early = is_code(error, *_MAY_BE_EARLY) and _NOT_VISIBLE.search(error_message(error))
            if early:
                told = from_client_error(error, doing)
                raise NotVisibleYetError(told.what, why=told.why, hint=told.hint) from error
            raise
