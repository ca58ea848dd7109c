"""What ECR's scan of an image found, and whether it is too much. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """How bad a finding is, the worst first; what `--fail-on` takes."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_OTHERS = ("informational", "undefined", "untriaged")
_UNDER_WAY = frozenset({"PENDING", "IN_PROGRESS"})
_DONE = frozenset({"COMPLETE", "ACTIVE"})
"""ACTIVE is what the continuous scan of Amazon Inspector says of an image that it watches."""
_MEANINGS = {
    "FAILED": "the scan failed",
    "UNSUPPORTED_IMAGE": "ECR cannot scan an image of this kind",
    "SCAN_ELIGIBILITY_EXPIRED": "the image is too old for the registry's scan",
    "FINDINGS_UNAVAILABLE": "the findings are not available",
    "LIMIT_EXCEEDED": "the account's limit of scans is used up (one a day for each image)",
    "IMAGE_ARCHIVED": "the image is in ECR's archive",
    "": "ECR knows of no scan of the image",
}


@dataclass(frozen=True)
class Scan:
    """A scan of one image.

    Attributes:
        status: as ECR calls it; empty where ECR knows of none.
        description: ECR's words on the status.
        counts: how many findings there are, by severity in lower case.
        worst: a line for each of the worst findings.
    """

    status: str = ""
    description: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    worst: tuple[str, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether its result is still to come."""
        return self.status in _UNDER_WAY

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self.status in _DONE

    @property
    def why_without_result(self) -> str:
        """Why there is no result, and none will come."""
        meaning = _MEANINGS.get(self.status, f"its state is {self.status}")
        return f"{meaning}: {self.description}" if self.description else meaning

    def summary(self) -> str:
        """Say what was found, the worst first: `1 critical, 3 high`."""
        known = [*map(str, Severity), *_OTHERS]
        names = [*known, *sorted(set(self.counts) - set(known))]
        told = [f"{self.counts[name]} {name}" for name in names if self.counts.get(name)]
        return ", ".join(told) or "nothing found"

    def too_bad(self, limit: Severity) -> int:
        """Give how many findings are as bad as `limit` or worse."""
        levels = list(Severity)
        return sum(self.counts.get(each, 0) for each in levels[: levels.index(limit) + 1])
