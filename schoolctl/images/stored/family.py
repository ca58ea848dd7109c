"""Relations between the images of a repository, selections, and uses of an image. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from schoolctl.model.images import Digest, age

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from schoolctl.model.images import Image
    from schoolctl.model.services import Revision, TaskDefinitionRef


# How cosign names what belongs to an image where a registry has no referrers.
_COSIGN_PREFIX = "sha256-"
_COSIGN_TAG = re.compile(_COSIGN_PREFIX + r"([0-9a-f]{64})(?:\.[a-z]+)?")
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Family:
    """How the images of a repository belong together.

    Attributes:
        parents: for an image, the indexes that list it.
        subject: for a signature or attestation, the image that it is about.
        referrers: for an image, the signatures and attestations about it.
        own: the images that stand for themselves, newest first: not a mere part of an index, and
            not about another image.
        children: for an index, the images that it lists.
    """

    parents: Mapping[Digest, tuple[Digest, ...]]
    subject: Mapping[Digest, Digest]
    referrers: Mapping[Digest, tuple[Digest, ...]]
    own: tuple[Image, ...]
    children: Mapping[Digest, tuple[Digest, ...]]

    def relatives(self, image: Image) -> Iterator[Digest]:
        """Give what belongs to an image: its parts, what is about it, and what belongs to those."""
        if not image.children and image.digest not in self.referrers:
            return  # as most are
        seen = {image.digest}
        waiting = [*image.children, *self.referrers.get(image.digest, ())]
        while waiting:
            digest = waiting.pop()
            if digest not in seen:
                seen.add(digest)
                yield digest
                waiting += [*self.children.get(digest, ()), *self.referrers.get(digest, ())]


def family_of(images: Iterable[Image]) -> Family:
    """Find which images are parts of others, or about others."""
    present = {image.digest: image for image in images}
    parents: dict[Digest, list[Digest]] = defaultdict(list)
    referrers: dict[Digest, list[Digest]] = defaultdict(list)
    subject: dict[Digest, Digest] = {}
    for image in present.values():
        for child in image.children:
            parents[child].append(image.digest)
        about = subject_of(image)
        if about is not None:
            subject[image.digest] = about
            referrers[about].append(image.digest)
    own = (
        image
        for image in present.values()
        if image.digest not in subject and (image.tags or image.digest not in parents)
    )
    return Family(
        parents={key: tuple(value) for key, value in parents.items()},
        subject=subject,
        referrers={key: tuple(value) for key, value in referrers.items()},
        own=tuple(sorted(own, key=age, reverse=True)),
        children={image.digest: image.children for image in present.values() if image.children},
    )


def subject_of(image: Image) -> Digest | None:
    """Give the image that this one is about: a signature's, an attestation's."""
    if image.subject is not None:
        return image.subject
    if not any(tag.startswith(_COSIGN_PREFIX) for tag in image.tags):
        return None  # as most
    named = (_COSIGN_TAG.fullmatch(tag) for tag in image.tags)
    return next((Digest(f"sha256:{found[1]}") for found in named if found), None)


def in_waves(going: Sequence[Image]) -> Iterator[list[Image]]:
    """Sort so that an index goes before its parts, and an image before what is about it.

    ECR refuses to delete an image that an index still lists (ImageReferencedByManifestList); and
    an image that could not be deleted is not to lose its signature.
    """
    left = {image.digest: image for image in going}
    while left:
        listed = {child for image in left.values() for child in image.children}
        free = [
            image
            for digest, image in left.items()
            if digest not in listed and subject_of(image) not in left
        ]
        # An index of signatures may list what it is about; ECR's own order comes first then.
        unlisted = [image for digest, image in left.items() if digest not in listed]
        wave = free or unlisted or list(left.values())
        for image in wave:
            del left[image.digest]
        yield wave


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


@dataclass(frozen=True)
class Use:
    """Something that needs an image, named by its digest, its tag, or both.

    Attributes:
        by: what it is, in short: `service schoolapp/web`.
        reason: the sentence for the user: `service schoolapp/web runs web:12`.
        digest: the image's digest, where the use names one.
        tag: the image's tag, where the use names one.
        running: whether it runs, and is not only something to go back to.
        registry: the host that the image is named with; empty where only the digest is known.
        revision: the task definition that names it, where that is what needs it.
    """

    by: str
    reason: str
    digest: Digest | None = None
    tag: str | None = None
    running: bool = True
    registry: str = ""
    revision: TaskDefinitionRef | None = None


@dataclass(frozen=True)
class Needs:
    """What needs the images of a repository, and what only names one.

    Attributes:
        uses: everything that needs an image.
        outside: what ACTIVE revisions name that are neither in use nor among those that a rollback
            may go to, in the repository's own account and region.
        elsewhere: the same, where other environments run images of this repository.
        window: how many revisions of a family a rollback may go to.
        revisions: those that were read for it, in the repository's own account and region.
    """

    uses: Sequence[Use]
    window: int
    outside: Sequence[Use] = ()
    elsewhere: Sequence[Use] = ()
    revisions: Sequence[Revision] = field(default=(), compare=False, repr=False)
