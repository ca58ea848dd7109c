"""What a check of the network finds: what is wrong, where, why it matters, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of difference it is."""

    MISSING = "missing"
    """Something documented is not there."""
    EXTRA = "extra"
    """A rule lets more in than is documented."""
    WRONG = "wrong"
    """Something is there, and set up otherwise."""
    ROUTE = "route"
    """Tasks do not reach an API of AWS that they need."""
    ZONE = "zone"
    """Something is in too few availability zones, or in others than it should be."""


class Severity(StrEnum):
    """Whether it breaks or opens something."""

    FAIL = "fail"
    WARN = "warn"
    """It differs from what is documented, and works all the same."""


APPLY = "network apply"
FIX = "network apply --fix"


@dataclass(frozen=True)
class Finding:
    """One difference between the network and what the service needs.

    Attributes:
        kind: what sort of difference it is.
        what: what is wrong, in one sentence without an end.
        where: the group and the rule, or whatever it is that is wrong.
        why: why it matters, in one sentence without an end.
        cure: the commands that repair it, a line each; a line may say what no command does.
        severity: whether it breaks or opens something.
        fixed_by: our own command that repairs it; empty where none does.
        group_id: the security group; empty where it is about none.
        rule_id: its rule; empty where it is about none.
    """

    kind: Kind
    what: str
    where: str
    why: str
    cure: tuple[str, ...]
    severity: Severity = Severity.FAIL
    fixed_by: str = ""
    group_id: str = ""
    rule_id: str = ""

    def lines(self) -> list[str]:
        """Give it for people."""
        cure = [f"  cure:  {self.cure[0]}", *(f"         {each}" for each in self.cure[1:])]
        return [
            f"{self.kind.upper()}  {self.what}",
            f"  where: {self.where}",
            f"  why:   {self.why}",
            *cure,
        ]

    def document(self) -> dict[str, object]:
        """Give it for `--json`."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "what": self.what,
            "where": self.where,
            "group_id": self.group_id or None,
            "rule_id": self.rule_id or None,
            "why": self.why,
            "cure": list(self.cure),
            "fixed_by": f"schoolctl {self.fixed_by}" if self.fixed_by else None,
        }
