"""The checks and the plan of `push --from`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, SchoolctlError
from schoolctl.base.plan import Plan
from schoolctl.images.push.release import REVISION
from schoolctl.images.push.rules import scan_steps
from schoolctl.images.push.steps import CopyImage, CreateRepository
from schoolctl.model.images import fits_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.base.plan import Step
    from schoolctl.images.push.rules import ScanWish
    from schoolctl.model.images import Digest, ImageRef


@dataclass(frozen=True)
class TestedImage:
    """The image that is to be copied.

    Attributes:
        reference: with its digest.
        environment: whose repository it is in.
        platforms: those it runs on; several for an index, none where nobody can tell.
        labels: its own.
    """

    reference: ImageRef
    environment: str
    platforms: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """The commit that it was built from, with `-dirty` behind it where files were changed."""
        return self.labels.get(REVISION, "")


@dataclass(frozen=True)
class Wanted:
    """What the environment that it goes to wants of it.

    Attributes:
        environment: its name.
        platform: what its tasks run on.
        branch: the branch that must have the commit; None for any.
        clean: whether it must be built from what is committed.
    """

    environment: str
    platform: str
    branch: str | None = None
    clean: bool = False


def check_tested(
    image: TestedImage, wanted: Wanted, *, on_branch: bool | None, reason: str = ""
) -> None:
    """Refuse an image that the environment would not let be built.

    Args:
        image: what is to be copied.
        wanted: by the environment.
        on_branch: whether the branch has the image's commit; None where git cannot tell.
        reason: why it cannot.

    Raises:
        SchoolctlError: it is for another platform, or from a source that `git:` forbids.
    """
    told = f"image {image.reference}"
    fits = any(fits_platform(each, wanted.platform) for each in image.platforms)
    if image.platforms and not fits:
        raise SchoolctlError(
            f"{told} is for {', '.join(image.platforms)}, and the tasks of environment"
            f" {wanted.environment} run on {wanted.platform}",
            hint="build one for them: `schoolctl push`, or correct `image.platform`",
        )
    if wanted.clean and (not image.revision or image.revision.endswith("-dirty")):
        raise SchoolctlError(
            f"environment {wanted.environment} wants an image of what is committed, and {told}"
            " is none",
            why=f"it was built from {image.revision or 'an unknown commit'}",
            hint="commit the changes and push an image of them",
        )
    if wanted.branch is not None and on_branch is not True:
        raise SchoolctlError(
            f"environment {wanted.environment} wants an image of branch {wanted.branch}",
            why=reason
            or f"commit {image.revision[:12] or 'unknown'}, which it was built from, is not on it",
            hint=f"`git fetch`, or merge it into {wanted.branch} and push an image of that",
        )


def plan_promotion(
    image: TestedImage,
    target: ImageRef,
    there: Digest | None,
    *,
    create_repository: bool,
    wish: ScanWish,
) -> Plan:
    """Give the steps that bring a tested image under a tag of another repository.

    Args:
        image: what to copy.
        target: where to, with the tag.
        there: the image that has the tag; None where none has.
        create_repository: whether the repository must be made first.
        wish: what is wanted of ECR's scan.

    Raises:
        ConflictError: the tag belongs to another image.
    """
    digest = image.reference.digest
    summary = f"copy {image.reference} to {target}"
    if there is not None and there == digest:
        nothing = f"nothing to do: {target} is that image already ({there})"
        return Plan(summary, scan_steps(wish, target, there), nothing=nothing)
    if there is not None:
        raise ConflictError(
            f"tag {target.tag} is taken: {target.repository.name} has another image under it",
            why=f"{there} has it, and environment {image.environment} has {digest} under its tag",
            hint="a tag is never moved to another image; push that one under another with --tag",
        )
    steps: list[Step] = []
    if create_repository:
        steps.append(CreateRepository(target.repository.name))
    steps.append(CopyImage(image.reference, image.environment, target))
    steps += scan_steps(wish, target)
    return Plan(summary, tuple(steps))
