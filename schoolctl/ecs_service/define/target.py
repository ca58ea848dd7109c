"""What the service is to run: an image that was chosen, and the revision that means it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.errors import UsageError
from schoolctl.base.text import ago
from schoolctl.ecs_service.define.changes import definition_changes, same_definition
from schoolctl.ecs_service.define.task_definition import container_image, replace_image
from schoolctl.ecs_service.steps.service import RegisterTaskDefinition
from schoolctl.images.push.release import short_commit
from schoolctl.model.images import Digest, ImageRef, parse_tag
from schoolctl.model.services import Registered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from schoolctl.config.models import Config
    from schoolctl.model.images import Image, Repository
    from schoolctl.model.services import Revision, TaskDefinitionRef

TAG_TAG = "schoolctl:tag"
COMMIT_TAG = "schoolctl:commit"
BY_TAG = "schoolctl:by"
_REFUSED_TAG = "latest"


@dataclass(frozen=True)
class Choice:
    """What the command line chooses, at most one of the three; none is the newest image."""

    tag: str | None = None
    digest: Digest | None = None
    revision: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether there is a choice."""
        return self != Choice()


def parse_choice(tag: str | None, digest: str | None, revision: int | None) -> Choice:
    """Read `--tag`, `--digest` and `--revision`.

    Raises:
        UsageError: more than one is given, or one of them has no such form.
    """
    options = {"--tag": tag, "--digest": digest, "--revision": revision}
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} each name what to deploy", hint="give one of them")
    return Choice(
        parse_tag(tag) if tag is not None else None,
        Digest.parse(digest) if digest is not None else None,
        revision,
    )


@dataclass(frozen=True)
class ChosenImage:
    """The image to deploy. `tag` and `commit` are None where nothing tells of them."""

    reference: ImageRef
    """By digest."""
    pushed_at: datetime
    tag: str | None = None
    commit: str | None = None
    tags: tuple[str, ...] = ()
    """All tags that it has in the repository now."""

    @property
    def label(self) -> str:
        """What people call it: its tag, else the first digits of its digest."""
        return self.tag or image_label(str(self.reference))

    def describe(self, now: datetime) -> str:
        """Name it with tag, age and commit."""
        digest = self.reference.digest
        parts = [f"image {self.label}"]
        if self.tag is not None and digest is not None:
            parts.append(f"digest {digest.short}")
        parts.append(f"pushed {ago(self.pushed_at, now)}")
        if self.commit is not None:
            parts.append(f"commit {short_commit(self.commit)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class KeptImage:
    """The image that a revision names, where the repository has none to choose.

    It may be in a registry that nobody here can look into.
    """

    reference: str
    revision: TaskDefinitionRef
    tag: str | None = None
    commit: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What people call it."""
        return self.tag or image_label(self.reference)

    def describe(self, now: datetime) -> str:
        """Name it, and where it is known from."""
        del now
        return f"image {self.reference}, as {self.revision} has it"


def keep_image(revision: Revision, container: str) -> KeptImage | None:
    """Give the image that a revision names for its container; None where it names none."""
    reference = container_image(revision.definition, container)
    if not reference:
        return None
    tags = revision.tags
    return KeptImage(reference, revision.ref, tags.get(TAG_TAG), tags.get(COMMIT_TAG))


def image_label(reference: str) -> str:
    """Give an image reference as short as it stays clear: its tag, else digits of its digest."""
    image = ImageRef.parse(reference)
    if image is None:
        return reference
    return image.tag or (image.digest.short if image.digest else reference)


def choose_newest(images: Iterable[Image], repository: Repository) -> ChosenImage | None:
    """Choose the newest image that has a tag, as a deploy without a choice does.

    Returns:
        None where no image that can be pulled has a tag that names a release.
    """
    tagged = [
        image
        for image in images
        if release_tag(image) is not None and not image.subject and not image.archived
    ]
    newest = max(tagged, key=lambda image: (image.pushed_at, image.digest), default=None)
    return chosen(newest, repository) if newest is not None else None


def chosen(image: Image, repository: Repository, tag: str | None = None) -> ChosenImage:
    """Give `image` as a choice, under the tag that was asked for or the first that it has."""
    return ChosenImage(
        repository.uri.at(image.digest),
        image.pushed_at,
        tag or release_tag(image),
        tags=image.tags,
    )


def release_tag(image: Image) -> str | None:
    """Give the first of an image's tags that names a release; `latest` names none."""
    return next((tag for tag in image.tags if tag != _REFUSED_TAG), None)


@dataclass(frozen=True)
class Target:
    """What the service is to run.

    Attributes:
        definition: the task definition, in the shape of RegisterTaskDefinition.
        label: what people call the image.
        revision: the revision that means just this; None where it has to be registered.
        changes: what differs from the revision before, a line each.
        tags: what is noted on a revision that is registered.
    """

    definition: Mapping[str, object]
    label: str
    revision: Revision | None
    changes: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str | None:
        """The image's tag, where it is known."""
        noted = self.tags if self.revision is None else self.revision.tags
        return noted.get(TAG_TAG)

    @property
    def ref(self) -> TaskDefinitionRef | Registered:
        """The revision, or the placeholder for the one that the plan registers."""
        if self.revision is not None:
            return self.revision.ref
        return Registered(str(self.definition.get("family", "")))

    def registration(self) -> tuple[RegisterTaskDefinition, ...]:
        """Give the step that registers it, if it has to be."""
        if self.revision is not None:
            return ()
        family = str(self.definition.get("family", ""))
        return (RegisterTaskDefinition(family, self.definition, self.tags, self.changes),)


def image_target(
    definition: Mapping[str, object],
    image: ChosenImage | KeptImage,
    container: str,
    *,
    running: Revision | None,
    newest: Revision | None,
    pulled: Collection[Digest] | None = (),
) -> Target:
    """Give the target for an image: a revision that means the same is used, not made again.

    Args:
        definition: what `render_task_definition` made of the configuration and the image.
        image: the chosen image.
        container: the name of the service's container.
        running: what the service is at; None where there is no service.
        newest: the newest ACTIVE revision of the family; None where there is none.
        pulled: the digests that the running tasks pulled; None where they may not be seen.
    """
    same_family = [
        each
        for each in (running, newest)
        if each is not None and each.ref.family == definition.get("family")
    ]
    reusable = next(
        (
            each
            for each in same_family
            if each.active
            and same_definition(
                _as_named(definition, image, container, each, pulled), each.definition
            )
        ),
        None,
    )
    if reusable is not None:
        definition = reusable.definition  # in its own words
    before = running or newest
    tags = {TAG_TAG: image.tag, COMMIT_TAG: image.commit}
    return Target(
        definition,
        image.label,
        reusable,
        _changes(before, definition, {str(image.reference): image.label}, container),
        {key: value for key, value in tags.items() if value},
    )


def _as_named(
    definition: Mapping[str, object],
    image: ChosenImage | KeptImage,
    container: str,
    revision: Revision,
    pulled: Collection[Digest] | None,
) -> Mapping[str, object]:
    """Give the definition with the image named as `revision` does, where both mean the same.

    We name images by digest. A revision that somebody else made may name this one by a tag: then
    the tag has to be its own now, and the running tasks must have pulled just this digest, for a
    tag may have moved since.
    """
    named = ImageRef.parse(container_image(revision.definition, container))
    wanted = image.reference
    if named is None or named.digest is not None or not isinstance(wanted, ImageRef):
        return definition
    is_own_tag = named.repository == wanted.repository and named.tag in image.tags
    if not is_own_tag or pulled is None or any(each != wanted.digest for each in pulled):
        return definition
    return replace_image(definition, str(wanted), str(named))


def _changes(
    before: Revision | None,
    definition: Mapping[str, object],
    labels: Mapping[str, str],
    container: str,
) -> tuple[str, ...]:
    if before is None:
        return ()
    old_image = container_image(before.definition, container)
    noted = before.tags.get(TAG_TAG)
    known = {old_image: noted, **labels} if noted else labels
    changes = definition_changes(before.definition, definition, labels=known)
    if not changes and not before.active:
        return (f"{before.ref} is INACTIVE",)
    return changes


def revision_target(
    revision: Revision, config: Config, running: Revision | None, *, image_exists: bool | None
) -> Target:
    """Give the target for a revision that exists.

    Args:
        revision: what was asked for.
        config: the configuration of the environment.
        running: what the service is at; None where there is no service.
        image_exists: whether ECR has its image; None where it comes from elsewhere.

    Raises:
        UsageError: it can run nowhere: it is INACTIVE, or its image is gone.
    """
    container = config.task.container
    reference = container_image(revision.definition, container)
    if not revision.active:
        raise UsageError(
            f"revision {revision.ref} is INACTIVE",
            why="it was deregistered, and ECS brings no service to such a revision",
            hint="`schoolctl taskdef list` shows the ACTIVE ones",
        )
    if image_exists is False:
        raise UsageError(
            f"the image of revision {revision.ref} is gone",
            why=f"ECR no longer has {reference}",
            hint="`schoolctl taskdef list` and `schoolctl images list` show what there is",
        )
    label = revision.tags.get(TAG_TAG) or image_label(reference)
    changes = _changes(running, revision.definition, {reference: label}, container)
    return Target(revision.definition, label, revision, changes)
