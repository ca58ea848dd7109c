"""The rules of `images prune`: a verdict for each image, and the plan. Pure.

Deleting an image that something needs cannot be undone, so every rule adds to what is kept and
none takes from it: what remains when all have spoken may go.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from schoolctl.base.plan import Plan
from schoolctl.base.text import ago, count, duration, size
from schoolctl.images.stored.family import family_of, in_waves
from schoolctl.images.stored.steps import (
    ConfirmUnused,
    DeleteImages,
    Deletion,
    DeregisterTaskDefinitions,
)
from schoolctl.model.images import age

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from schoolctl.images.stored.family import Family, Needs, Use
    from schoolctl.model.images import Digest, Image, RepositoryUri
    from schoolctl.model.services import TaskDefinitionRef


_REVISIONS_SHOWN = 10
_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Rules:
    """What is kept beside the images in use.

    Attributes:
        keep: the newest images, this many.
        keep_days: those that are younger.
        protect: those with a tag like one of these; `*` stands for any characters.
        untagged_only: all that have a tag, or are about one that has.
    """

    keep: int
    keep_days: float
    protect: tuple[str, ...] = ()
    untagged_only: bool = False


class Why(Enum):
    """The kinds of reasons, as a summary has them; the first of an image's is its main one."""

    RUNNING = "a task, service or deployment uses it"
    ROLLBACK = "a rollback may go to it"
    ARCHIVED = "is archived"
    PROTECTED = "has a protected tag"
    TAGGED = "has a tag, and only untagged images were asked for"
    YOUNG = "is young"
    NEWEST = "is among the newest"
    BELONGS = "belongs to an image that is kept"
    UNUSED = "nothing uses it, and no rule keeps it"
    FOLLOWS = "belongs to an image that goes"


@dataclass(frozen=True)
class Reason:
    """Why an image stays, or goes."""

    why: Why
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Verdict:
    """What becomes of one image, and all the reasons for it."""

    image: Image
    keep: bool
    reasons: tuple[Reason, ...]


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
    return [judge_.verdict(image) for image in sorted(images, key=age, reverse=True)]


class _Judge:
    """Gathers the reasons to keep, image by image."""

    def __init__(self, images: Sequence[Image], rules: Rules, now: datetime) -> None:
        self._images = {image.digest: image for image in images}
        self._family: Family = family_of(images)
        self._rules = rules
        self._now = now
        # A dictionary for its order, without the same reason twice.
        self._reasons: dict[Digest, dict[Reason, None]] = defaultdict(dict)

    def keep_used(self, uses: Sequence[Use]) -> None:
        by_tag = {tag: image.digest for image in self._images.values() for tag in image.tags}
        # What runs comes first: it is the reason that a summary counts.
        for use in sorted(uses, key=lambda each: not each.running):
            why = Why.RUNNING if use.running else Why.ROLLBACK
            named = {use.digest, by_tag.get(use.tag) if use.tag is not None else None}
            for digest in sorted(each for each in named if each in self._images):
                self._keep(digest, why, use.reason)
                # ECS may name the image that an index led it to.
                for parent in self._ancestors(digest):
                    self._keep(parent, why, f"holds {digest.short}: {use.reason}")

    def keep_by_rule(self) -> None:
        rules = self._rules
        young = f"is younger than {_days(rules.keep_days)}"
        for image in self._images.values():
            if image.archived:
                # What it is made of cannot be read, and whoever archived it wants to keep it.
                self._keep(image.digest, Why.ARCHIVED, "is archived")
            for tag in image.tags:
                for pattern in rules.protect:
                    if fnmatchcase(tag, pattern):
                        reason = f"tag {tag} is protected ({pattern})"
                        self._keep(image.digest, Why.PROTECTED, reason)
            if rules.untagged_only and image.tags and not self._follows(image):
                self._keep(image.digest, Why.TAGGED, "has a tag, and only untagged ones may go")
            if self._is_young(image) and not self._follows(image):
                self._keep(image.digest, Why.YOUNG, young)
        ready = (image for image in self._family.own if not image.archived)
        newest = "is the newest" if rules.keep == 1 else f"is among the {rules.keep} newest"
        for image in islice(ready, rules.keep):
            self._keep(image.digest, Why.NEWEST, newest)

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
                self._keep(belonging, Why.BELONGS, f"{reason}, which is kept")

    def verdict(self, image: Image) -> Verdict:
        reasons = tuple(self._reasons.get(image.digest, ()))
        if reasons:
            return Verdict(image, keep=True, reasons=reasons)
        pushed = f"pushed {ago(image.pushed_at, self._now)}"
        if self._follows(image):
            why = Reason(Why.FOLLOWS, f"{pushed}, goes with {self._followed(image).short}")
        else:
            why = Reason(Why.UNUSED, f"{pushed}, {Why.UNUSED.value}")
        return Verdict(image, keep=False, reasons=(why,))

    def _keep(self, digest: Digest, why: Why, text: str) -> None:
        self._reasons[digest][Reason(why, text)] = None

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


def _days(days: float) -> str:
    return count(int(days), "day") if days == int(days) else duration(days * _DAY_SECONDS)


@dataclass(frozen=True)
class PrunePlan:
    """The verdicts, and the plan that carries them out.

    Attributes:
        verdicts: one for each image, newest first.
        stranded: the ACTIVE revisions that nobody can go back to, and whose image goes or is gone.
        plan: the steps.
    """

    verdicts: tuple[Verdict, ...]
    stranded: tuple[TaskDefinitionRef, ...]
    plan: Plan = field(compare=False)

    @property
    def deleted(self) -> tuple[Image, ...]:
        """The images that go."""
        return tuple(each.image for each in self.verdicts if not each.keep)


def plan_prune(
    repository: RepositoryUri,
    images: Sequence[Image],
    needs: Needs,
    rules: Rules,
    now: datetime,
    *,
    deregister: bool = False,
) -> PrunePlan:
    """Decide about every image of a repository, and give the steps that delete those that may go.

    Args:
        repository: whose images these are.
        images: all of them.
        needs: what was found to need them.
        rules: what else is kept.
        now: the present time.
        deregister: whether the revisions that are left without their image go, too.
    """
    verdicts = tuple(judge(images, needs.uses, rules, now))
    going = [each.image for each in verdicts if not each.keep]
    stranded = _stranded(repository, images, going, needs.outside)
    steps = (
        *(
            (ConfirmUnused(repository, tuple(going), needs.window, tuple(needs.revisions)),)
            if going
            else ()
        ),
        *((DeregisterTaskDefinitions(stranded),) if stranded and deregister else ()),
        *((_deletion(repository, going),) if going else ()),
    )
    revisions = f" and {count(len(stranded), 'revision')}" if stranded and deregister else ""
    plan = Plan(
        summary=f"delete {len(going)} of {count(len(images), 'image')}{revisions} of"
        f" {repository.name} ({size(sum(image.size_bytes for image in going))}).",
        steps=steps,
        nothing=f"nothing to do: {count(len(images), 'image')}, and a reason to keep each",
        notes=tuple(_notes(repository, images, going, needs, stranded, deregister=deregister)),
        deletes=True,
    )
    return PrunePlan(verdicts, stranded, plan)


def _deletion(repository: RepositoryUri, going: Sequence[Image]) -> DeleteImages:
    family = family_of(going)
    after = {
        image.digest: tuple(
            each
            for each in (*family.parents.get(image.digest, ()), family.subject.get(image.digest))
            if each is not None
        )
        for image in going
    }
    waves = tuple(
        tuple(Deletion(image.digest, after[image.digest]) for image in wave)
        for wave in in_waves(going)
    )
    return DeleteImages(repository, waves, sum(image.size_bytes for image in going))


def _stranded(
    repository: RepositoryUri,
    images: Sequence[Image],
    going: Sequence[Image],
    outside: Iterable[Use],
) -> tuple[TaskDefinitionRef, ...]:
    """Give the revisions whose image goes, or is gone already from this very repository."""
    lost = _Names(going)
    there = _Names(images)
    found = {
        use.revision: None
        for use in outside
        if use.revision is not None
        and (lost.has(use) or (use.registry == repository.registry and not there.has(use)))
    }
    return tuple(found)


def _notes(
    repository: RepositoryUri,
    images: Sequence[Image],
    going: Sequence[Image],
    needs: Needs,
    stranded: Sequence[TaskDefinitionRef],
    *,
    deregister: bool,
) -> Iterator[str]:
    if stranded and not deregister:
        yield f"ACTIVE revisions without their image: {_listed(stranded)}"
        yield "they cannot be run any more; --deregister makes them INACTIVE"
    far = _stranded(repository, images, going, needs.elsewhere)
    if far:
        yield f"ACTIVE revisions of other environments without their image: {_listed(far)}"


class _Names:
    """The digests and tags of some images."""

    def __init__(self, images: Iterable[Image]) -> None:
        images = tuple(images)
        self._digests = {image.digest for image in images}
        self._tags = {tag for image in images for tag in image.tags}

    def has(self, use: Use) -> bool:
        """Say whether a use names one of the images; the digest decides where there is one."""
        return use.digest in self._digests if use.digest else use.tag in self._tags


def _listed(revisions: Sequence[TaskDefinitionRef]) -> str:
    more = len(revisions) - _REVISIONS_SHOWN
    shown = ", ".join(map(str, revisions[:_REVISIONS_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


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
