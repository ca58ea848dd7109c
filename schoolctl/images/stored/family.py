"""Which images of a repository are parts of others, or about others. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.model.images import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from schoolctl.model.images import Image

# How cosign names what belongs to an image where a registry has no referrers.
_COSIGN_PREFIX = "sha256-"
_COSIGN_TAG = re.compile(_COSIGN_PREFIX + r"([0-9a-f]{64})(?:\.[a-z]+)?")


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


def age(image: Image) -> tuple[datetime, str]:
    """Give what images are sorted by, the oldest first.

    Two may have been pushed in the same second; which is the newer must not be chance.
    """
    return image.pushed_at, image.digest.value


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
