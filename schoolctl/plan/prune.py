"""Which images may go, and why each other one stays. Pure.

Deleting an image that something needs cannot be undone, so every rule adds to what is kept and
none takes from it: what remains when all have spoken may go.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from schoolctl.batches import batches
from schoolctl.model import Digest
from schoolctl.plan.steps import ConfirmUnused, DeleteImages, Plan
from schoolctl.text import ago, count, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from schoolctl.model import Image, RepositoryUri

_DELETED_AT_ONCE = 100
"""BatchDeleteImage takes so many."""
_REVISIONS_SHOWN = 10
# How cosign names what belongs to an image where a registry has no referrers.
_COSIGN_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.[a-z]+)?")


@dataclass(frozen=True)
class Use:
    """Something that needs an image, named by its digest, its tag, or both.

    Attributes:
        by: what it is, in short: `service schoolapp/web`.
        reason: the sentence for the user: `service schoolapp/web runs web:12`.
        digest: the image's digest, where the use names one.
        tag: the image's tag, where the use names one.
        running: whether it runs, and is not only something to go back to.
    """

    by: str
    reason: str
    digest: Digest | None = None
    tag: str | None = None
    running: bool = True


@dataclass(frozen=True)
class Rules:
    """What is kept beside the images in use: the newest, the young, and some by their tags."""

    keep: int
    keep_days: int
    protect: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What becomes of one image, and all the reasons for it."""

    image: Image
    keep: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """How the images of a repository belong together.

    Attributes:
        parents: for an image, the indexes that list it.
        subject: for a signature or attestation, the image that it is about.
        referrers: for an image, the signatures and attestations about it.
        own: the images that stand for themselves, newest first: not a mere part of an index, and
            not about another image.
    """

    parents: Mapping[Digest, tuple[Digest, ...]]
    subject: Mapping[Digest, Digest]
    referrers: Mapping[Digest, tuple[Digest, ...]]
    own: tuple[Image, ...]


def family_of(images: Iterable[Image]) -> Family:
    """Find which images are parts of others, or about others."""
    present = {image.digest: image for image in images}
    parents: dict[Digest, list[Digest]] = defaultdict(list)
    referrers: dict[Digest, list[Digest]] = defaultdict(list)
    subject: dict[Digest, Digest] = {}
    for image in present.values():
        for child in image.children:
            parents[child].append(image.digest)
        about = _subject(image)
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
        own=tuple(sorted(own, key=_age, reverse=True)),
    )


def _subject(image: Image) -> Digest | None:
    if image.subject is not None:
        return image.subject
    named = (_COSIGN_TAG.fullmatch(tag) for tag in image.tags)
    return next((Digest(f"sha256:{found[1]}") for found in named if found), None)


def _age(image: Image) -> tuple[datetime, Digest]:
    # Two images may have been pushed in the same second; which is the newer must not be chance.
    return image.pushed_at, image.digest


def judge(
    images: Sequence[Image], uses: Sequence[Use], rules: Rules, now: datetime
) -> list[Verdict]:
    """Decide for every image of a repository whether it stays, with every reason.

    Args:
        images: all of the repository's images, in any order.
        uses: everything that needs an image of it; one whose image is not there is no matter.
        rules: what else is kept.
        now: the present time.

    Returns:
        A verdict for each image, newest first. Judged again after the deletion, with the same
        uses, nothing more is deleted.
    """
    judge_ = _Judge(images, rules, now)
    judge_.keep_used(uses)
    judge_.keep_by_rule()
    judge_.keep_what_belongs()
    return [judge_.verdict(image) for image in sorted(images, key=_age, reverse=True)]


class _Judge:
    """Gathers the reasons to keep, image by image."""

    def __init__(self, images: Sequence[Image], rules: Rules, now: datetime) -> None:
        self._images = {image.digest: image for image in images}
        self._family = family_of(images)
        self._rules = rules
        self._now = now
        # A dictionary for its order, without the same reason twice.
        self._reasons: dict[Digest, dict[str, None]] = defaultdict(dict)

    def keep_used(self, uses: Sequence[Use]) -> None:
        by_tag = {tag: image.digest for image in self._images.values() for tag in image.tags}
        for use in uses:
            named = {use.digest, by_tag.get(use.tag) if use.tag is not None else None}
            for digest in sorted(each for each in named if each in self._images):
                self._keep(digest, use.reason)
                # ECS may name the image that an index led it to.
                for parent in self._ancestors(digest):
                    self._keep(parent, f"holds {digest.short}: {use.reason}")

    def keep_by_rule(self) -> None:
        rules = self._rules
        for image in self._images.values():
            if image.archived:
                # What it is made of cannot be read, and whoever archived it wants to keep it.
                self._keep(image.digest, "is archived")
            for tag in image.tags:
                for pattern in rules.protect:
                    if fnmatchcase(tag, pattern):
                        self._keep(image.digest, f"tag {tag} is protected ({pattern})")
            if self._is_young(image) and not self._follows(image):
                self._keep(image.digest, f"is younger than {count(rules.keep_days, 'day')}")
        ready = (image for image in self._family.own if not image.archived)
        for image in islice(ready, rules.keep):
            self._keep(image.digest, f"is among the newest {rules.keep}")

    def keep_what_belongs(self) -> None:
        waiting = [digest for digest in self._images if self._reasons.get(digest)]
        while waiting:
            digest = waiting.pop()
            parts = [(each, f"is part of {digest.short}") for each in self._images[digest].children]
            about = [
                (each, f"belongs to {digest.short}")
                for each in self._family.referrers.get(digest, ())
            ]
            for belonging, reason in (*parts, *about):
                if belonging not in self._images:
                    continue
                if not self._reasons.get(belonging):
                    waiting.append(belonging)
                self._keep(belonging, f"{reason}, which is kept")

    def verdict(self, image: Image) -> Verdict:
        reasons = tuple(self._reasons.get(image.digest, ()))
        if reasons:
            return Verdict(image, keep=True, reasons=reasons)
        pushed = f"pushed {ago(image.pushed_at, self._now)}"
        if self._follows(image):
            why = f"{pushed}, goes with {self._followed(image).short}"
        else:
            why = f"{pushed}, nothing uses it, and no rule keeps it"
        return Verdict(image, keep=False, reasons=(why,))

    def _keep(self, digest: Digest, reason: str) -> None:
        self._reasons[digest][reason] = None

    def _is_young(self, image: Image) -> bool:
        # With no days to keep, a clock that is behind ECR's must not make everything young.
        days = self._rules.keep_days
        return days > 0 and self._now - image.pushed_at < timedelta(days=days)

    def _follows(self, image: Image) -> bool:
        """Say whether an image has no fate of its own: it goes or stays with another."""
        digest = image.digest
        if digest in self._family.subject:
            return self._family.subject[digest] in self._images
        return not image.tags and digest in self._family.parents

    def _followed(self, image: Image) -> Digest:
        subject = self._family.subject.get(image.digest)
        return subject if subject is not None else self._family.parents[image.digest][0]

    def _ancestors(self, digest: Digest) -> Iterator[Digest]:
        seen = {digest}
        waiting = [digest]
        while waiting:
            for parent in self._family.parents.get(waiting.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
                    yield parent


@dataclass(frozen=True)
class PrunePlan:
    """The verdicts, and the plan that carries them out."""

    verdicts: tuple[Verdict, ...]
    plan: Plan = field(compare=False)

    @property
    def deleted(self) -> tuple[Image, ...]:
        """The images that go."""
        return tuple(each.image for each in self.verdicts if not each.keep)


def plan_prune(
    repository: RepositoryUri,
    images: Sequence[Image],
    uses: Sequence[Use],
    rules: Rules,
    now: datetime,
    *,
    window: int,
    outside: Sequence[Use] = (),
) -> PrunePlan:
    """Decide about every image of a repository, and give the steps that delete those that may go.

    Args:
        repository: whose images these are.
        images: all of them.
        uses: everything that needs an image.
        rules: what else is kept.
        now: the present time.
        window: how many revisions of a family a rollback may go to, as `uses` was found with.
        outside: what old revisions name: it keeps nothing, but the user should know.
    """
    verdicts = tuple(judge(images, uses, rules, now))
    going = [each.image for each in verdicts if not each.keep]
    deletions = [
        DeleteImages(
            repository,
            tuple(image.digest for image in batch),
            sum(image.size_bytes for image in batch),
        )
        for wave in _waves(going)
        for batch in batches(wave, _DELETED_AT_ONCE)
    ]
    check = ConfirmUnused(repository, tuple(going), window)
    total = size(sum(image.size_bytes for image in going))
    plan = Plan(
        summary=f"delete {len(going)} of {count(len(images), 'image')} of {repository.name}"
        f" ({total}).",
        steps=(check, *deletions) if going else (),
        nothing=f"nothing to do: {count(len(images), 'image')}, and a reason to keep each",
        notes=_left_without_image(going, outside),
        deletes=True,
    )
    return PrunePlan(verdicts, plan)


def _left_without_image(going: Sequence[Image], outside: Sequence[Use]) -> tuple[str, ...]:
    digests = {image.digest for image in going}
    tags = {tag for image in going for tag in image.tags}
    revisions = dict.fromkeys(use.by for use in outside if use.digest in digests or use.tag in tags)
    if not revisions:
        return ()
    shown = ", ".join(islice(revisions, _REVISIONS_SHOWN))
    more = f" and {len(revisions) - _REVISIONS_SHOWN} more" * (len(revisions) > _REVISIONS_SHOWN)
    return (f"ACTIVE revisions that will be left without their image: {shown}{more}",)


def _waves(going: Sequence[Image]) -> Iterator[list[Image]]:
    """Sort so that what refers to another image goes before it, in a call of its own.

    ECR refuses to delete an image that an index still lists (ImageReferencedByManifestList).
    """
    left = {image.digest: image for image in going}
    while left:
        referred = {
            target
            for image in left.values()
            for target in (*image.children, _subject(image))
            if target is not None and target != image.digest
        }
        free = [image for digest, image in left.items() if digest not in referred]
        # Digests cannot refer to each other in a circle; should they, the rest goes at once.
        wave = free or list(left.values())
        for image in wave:
            del left[image.digest]
        yield wave
