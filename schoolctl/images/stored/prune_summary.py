"""What becomes of many images, in a few lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schoolctl.images.stored.rules import Verdict, Why


@dataclass(frozen=True)
class SummaryLine:
    """The images that stay, or go, for the same main reason."""

    keep: bool
    why: str
    images: int
    size_bytes: int


def summary_of(verdicts: Iterable[Verdict]) -> list[SummaryLine]:
    """Give a line for each main reason, what stays first; every image counts once."""
    groups: dict[tuple[bool, Why], list[int]] = {}
    for each in verdicts:
        groups.setdefault((each.keep, each.reasons[0].why), []).append(each.image.size_bytes)
    order = {why: number for _, why in groups for number, why in enumerate(type(why))}
    return [
        SummaryLine(keep, why.value, len(sizes), sum(sizes))
        for (keep, why), sizes in sorted(
            groups.items(), key=lambda group: (not group[0][0], order[group[0][1]])
        )
    ]
