"""Denials and refused logins, recognised in what AWS and registries answer."""

from __future__ import annotations

import re
from enum import Enum, auto

_UNAUTHORIZED, _FORBIDDEN = 401, 403  # of HTTP
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9*]+)")
DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ForbiddenException",
        "NotAuthorized",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)


class Refusal(Enum):
    """Why a registry does not let a caller in, as far as its answer says."""

    EXPIRED = auto()
    NO_LOGIN = auto()
    BAD_LOGIN = auto()
    FORBIDDEN = auto()


# The first pattern that matches counts: an expired token is answered with "denied", too. Digests
# are hexadecimal and may contain 403; `permission denied` is the operating system's.
_REFUSALS = (
    (Refusal.EXPIRED, r"token has expired|token .*expired"),
    (Refusal.NO_LOGIN, r"no basic auth credentials"),
    (
        Refusal.BAD_LOGIN,
        r"unauthorized|authentication required|incorrect username or password|\b401\b",
    ),
    (Refusal.FORBIDDEN, r"(?<!permission )\bdenied|forbidden|\b403\b"),
)
_PATTERNS = tuple((each, re.compile(text, re.IGNORECASE)) for each, text in _REFUSALS)


def denied_action(text: str) -> str | None:
    """Return the IAM action that a text names as missing; None if it names none.

    Source: IAM User Guide, "Troubleshoot access denied error messages"; ECR's registry uses the
    same words.
    """
    found = _ACTION.search(text)
    return found[1] if found else None


def is_denial(code: str, message: str) -> bool:
    """Return whether an error of an AWS API is a missing permission.

    Args:
        code: of the error; services also deny under codes that mean something else.
        message: of the error.
    """
    return code in DENIED_CODES or denied_action(message) is not None


def refusal_in(text: str) -> Refusal | None:
    """Return the kind of refusal that a registry or an engine words; None for other failures.

    Args:
        text: the words of the Docker engine (20.10 to 28), containerd, or ECR.
    """
    return next((each for each, pattern in _PATTERNS if pattern.search(text)), None)


def refusal_of(status: int) -> Refusal | None:
    """Return the kind of refusal that an HTTP status stands for; None for any other status."""
    if status == _UNAUTHORIZED:
        return Refusal.BAD_LOGIN
    return Refusal.FORBIDDEN if status == _FORBIDDEN else None
