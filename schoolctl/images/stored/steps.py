"""The steps that delete images, and deregister revisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.base.text import count

if TYPE_CHECKING:
    from schoolctl.model.images import Digest, Image, RepositoryUri
    from schoolctl.model.services import Revision, TaskDefinitionRef


@dataclass(frozen=True)
class ConfirmUnused(Step):
    """Look once more whether something uses the images that are about to go."""

    repository: RepositoryUri
    images: tuple[Image, ...]
    window: int
    """How many revisions of a family a rollback may go to."""
    known: tuple[Revision, ...] = field(default=(), compare=False, repr=False)
    """The revisions that were read for the plan."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return "look once more whether anything uses them"


@dataclass(frozen=True)
class Deletion:
    """An image that goes, and what has to be gone before it."""

    digest: Digest
    after: tuple[Digest, ...] = ()


@dataclass(frozen=True)
class DeleteImages(Step):
    """Delete images by digest, wave by wave: what belongs to an image goes after it."""

    repository: RepositoryUri
    waves: tuple[tuple[Deletion, ...], ...]
    size_bytes: int

    @property
    def digests(self) -> tuple[Digest, ...]:
        """All that go, in order."""
        return tuple(each.digest for wave in self.waves for each in wave)

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        number = sum(map(len, self.waves))
        return f"delete {count(number, 'image')} from {self.repository.name}"


@dataclass(frozen=True)
class DeregisterTaskDefinitions(Step):
    """Make revisions INACTIVE."""

    revisions: tuple[TaskDefinitionRef, ...]

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        if len(self.revisions) == 1:
            return f"deregister {self.revisions[0]}"
        return f"deregister {count(len(self.revisions), 'revision')}"


AnyPruneStep = ConfirmUnused | DeleteImages | DeregisterTaskDefinitions
