"""IAM denials: the missing action, the kind of policy behind it, and the hint.

An allowing statement does not help against an explicit deny, and what an organisation forbids no
policy of the account allows: so the cure depends on the kind.

Source: IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.denial import denied_action
from schoolctl.base.errors import AccessDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESOURCE = re.compile(r"on resource: (arn:\S+)")
_ENCODED = re.compile(r"\s*Encoded authorization failure message: \S+")
_EXPLICIT = "explicit deny"
_KINDS = {
    "service control policy": (
        "a service control policy of the organisation forbids it",
        "only whoever administers the AWS organisation can change that",
    ),
    "resource control policy": (
        "a resource control policy of the organisation forbids it",
        "only whoever administers the AWS organisation can change that",
    ),
    "permissions boundary": (
        "the permissions boundary of the user or role does not allow it",
        "the boundary has to allow {action} as well as a policy",
    ),
    "session policy": (
        "the session policy that the role was assumed with does not allow it",
        "take the role without that policy, or let it allow {action}",
    ),
    "vpc endpoint policy": (
        "the policy of the VPC endpoint does not allow it",
        "let the endpoint's policy allow {action}, or go around the endpoint",
    ),
    "resource-based policy": (
        "the policy of the resource itself does not allow it",
        "let the resource's own policy allow {action} for this user or role",
    ),
}
"""What AWS calls the policy: what that means, and the cure."""


@dataclass(frozen=True)
class Denial:
    """A denial, read.

    Attributes:
        action: what is not allowed; None where AWS does not tell.
        why: for people.
        hint: likewise.
        by_policy: whether a policy of the caller's that allows the action is the cure.
    """

    action: str | None
    why: str
    hint: str
    by_policy: bool


@dataclass
class Denials:
    """The actions that AWS denied while somebody worked, and whether a policy cures each.

    What a command can do without is mostly left out in silence where it fails; whoever ran the
    command is told of it here.
    """

    by_policy: dict[str, bool] = field(default_factory=dict)

    def note(self, action: str, *, by_policy: bool = True) -> None:
        """Note that an action was denied."""
        self.by_policy[action] = by_policy

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note a denial that ends the block: one of the registry's, which no client sees."""
        try:
            yield
        except AccessDeniedError as error:
            if error.action is not None:
                self.note(error.action)
            raise


def read_denial(code: str, message: str, operation: str) -> Denial:
    """Give the action, the cause and the cure of a denial.

    Args:
        code: of AWS's answer.
        message: of AWS's answer.
        operation: what was called, such as `DescribeSubnets`.
    """
    # EC2's older answers tell nothing but an encoded message; its actions are its operations.
    of_ec2 = f"ec2:{operation}" if code == "UnauthorizedOperation" else None
    action = denied_action(message) or of_ec2
    needed = action or f"the action behind {operation}"
    # Long, and for AWS's own eyes: whoever may decode it needs no help of ours.
    said = _ENCODED.sub("", message).strip()
    meaning, hint = _kind(said, needed)
    why = f"AWS denied {needed}: {said}"
    hint += "; `schoolctl profile show` tells who you are"
    by_policy = not meaning
    return Denial(action, "\n".join(filter(None, (why, meaning))), hint, by_policy)


def _kind(message: str, needed: str) -> tuple[str, str]:
    text = message.lower()
    for name, (meaning, cure) in _KINDS.items():
        if name in text:
            if _EXPLICIT in text:
                return f"{meaning}, by an explicit deny", _without_deny(cure, needed)
            return meaning, cure.format(action=needed)
    if _EXPLICIT in text:
        return (
            "a policy denies it explicitly: no policy that allows it helps",
            f"find the statement that denies {needed}, and take it out or narrow it down",
        )
    resource = _RESOURCE.search(message)
    where = f" on {resource[1]}" if resource else ""
    return "", f"ask for a policy that allows {needed}{where}"


def _without_deny(cure: str, needed: str) -> str:
    if "{action}" not in cure:
        return cure
    return f"find the statement there that denies {needed}, and take it out or narrow it down"
