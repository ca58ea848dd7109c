"""Which images are shown, in which order, and what uses each. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.images.stored.family import Family
    from schoolctl.images.stored.uses import Use
    from schoolctl.model.images import Digest, Image

_NUMBER = re.compile(r"([0-9]+)")


class Sort(StrEnum):
    """What a list of images is sorted by."""

    PUSHED = "pushed"
    SIZE = "size"
    TAG = "tag"
    PULLED = "pulled"


@dataclass(frozen=True)
class Selection:
    """What of a repository is asked for.

    Attributes:
        tags: only images with a tag like one of these; empty for all.
        untagged: only images without a tag.
        unused: only images that nothing uses.
        limit: this many at most; None is without end.
        sort: the newest, largest or last pulled first, or by tag.
    """

    tags: tuple[str, ...] = ()
    untagged: bool = False
    unused: bool = False
    limit: int | None = None
    sort: Sort = Sort.PUSHED


class UsesOf:
    """What uses each image, found by its digest and its tags."""

    def __init__(self, uses: Iterable[Use], family: Family) -> None:
        self._family = family
        self._uses = tuple(uses)
        self._by_digest: dict[Digest, list[int]] = defaultdict(list)
        self._by_tag: dict[str, list[int]] = defaultdict(list)
        for number, use in enumerate(self._uses):
            if use.digest is not None:
                self._by_digest[use.digest].append(number)
            if use.tag is not None:
                self._by_tag[use.tag].append(number)

    def of(self, image: Image) -> list[Use]:
        """Give the uses of an image, those of its parts too: ECS names what an index led it to."""
        if not self._uses:
            return []
        found = set(self._by_digest.get(image.digest, ()))
        for digest in self._family.relatives(image):
            found.update(self._by_digest.get(digest, ()))
        for tag in image.tags:
            found.update(self._by_tag.get(tag, ()))
        return [self._uses[number] for number in sorted(found)]


def select(
    images: Sequence[Image], selection: Selection, uses: UsesOf | None = None
) -> list[Image]:
    """Give the images that are asked for, in the order that is asked for.

    Args:
        images: newest first.
        selection: what is asked for.
        uses: what uses them; needed where only the unused are asked for.
    """
    found = [
        image
        for image in images
        if _has_tag(image, selection.tags)
        and not (selection.untagged and image.tags)
        and not (selection.unused and uses is not None and uses.of(image))
    ]
    # Sorting is stable: among equals the newest comes first.
    match selection.sort:
        case Sort.SIZE:
            found.sort(key=lambda image: -image.size_bytes)
        case Sort.TAG:
            found.sort(key=_tag_key)
        case Sort.PULLED:
            found.sort(key=lambda image: -image.pulled_at.timestamp() if image.pulled_at else 0.0)
        case Sort.PUSHED:
            pass
    return found[: selection.limit]


def _has_tag(image: Image, patterns: Sequence[str]) -> bool:
    return not patterns or any(
        fnmatchcase(tag, pattern) for tag in image.tags for pattern in patterns
    )


def _tag_key(image: Image) -> tuple[bool, list[tuple[bool, int, str]]]:
    """Sort by the first tag as people count, `1.9` before `1.10`; what has none comes last."""
    return not image.tags, min(map(_natural, image.tags), default=[])


def _natural(tag: str) -> list[tuple[bool, int, str]]:
    parts = filter(None, _NUMBER.split(tag))
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
