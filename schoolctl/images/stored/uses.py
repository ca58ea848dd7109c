"""What uses images. Pure, and apart from what is done with it: a list of images needs no plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.images import Digest
    from schoolctl.model.services import Revision, TaskDefinitionRef


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
