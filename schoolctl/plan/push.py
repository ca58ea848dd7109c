"""Whether anything has to be built or pushed, decided before it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.errors import ConflictError
from schoolctl.model import fits_platform
from schoolctl.plan.release import FINGERPRINT, REVISION, release_labels
from schoolctl.plan.steps import BuildImage, CreateRepository, Plan, PushImage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from schoolctl.builder import Builder
    from schoolctl.model import Digest, ImageRef, NoSource, Source
    from schoolctl.plan.steps import Step


@dataclass(frozen=True)
class Release:
    """What is to be built and called how, read from the project's own files.

    Attributes:
        tag: of the image.
        source: what git tells.
        context: the directory of the build context.
        context_bytes: the size of what is sent of it.
        dockerfile: where the Dockerfile lies.
        platform: such as `linux/amd64`.
        build_args: for the Dockerfile's ARG.
        fingerprint: of the context, the Dockerfile, the arguments and the platform.
    """

    tag: str
    source: Source | NoSource
    context: Path
    context_bytes: int
    dockerfile: Path
    platform: str
    build_args: Mapping[str, str]
    fingerprint: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the image gets."""
        return release_labels(self.source, tag=self.tag, fingerprint=self.fingerprint)


@dataclass(frozen=True)
class TaggedImage:
    """The image that has the tag in the repository already.

    Attributes:
        digest: its digest.
        fingerprint: of its build; None where it has none: it was not pushed by schoolctl.
        unread: why its fingerprint could not be read; empty where it could.
    """

    digest: Digest
    fingerprint: str | None
    unread: str = ""


@dataclass(frozen=True)
class LocalBuild:
    """What of the release the engine has.

    Attributes:
        builder: what would build it.
        labels: of the image with the release's name; None where there is no such image.
        platform: of that image.
    """

    builder: Builder
    labels: Mapping[str, str] | None = None
    platform: str = ""


def is_pushed(release: Release, image: ImageRef, there: TaggedImage | None) -> bool:
    """Say whether the release is in the repository already.

    Raises:
        ConflictError: the tag belongs to other content, or nobody can tell.
    """
    if there is None:
        return False
    if there.fingerprint == release.fingerprint:
        return True
    what = f"tag {release.tag} is taken: {image.repository.name} has another image under it"
    hint = "give this one a tag of its own with --tag; a tag is never moved to another image"
    if there.unread:
        raise ConflictError(
            f"tag {release.tag} is taken in {image.repository.name}, and what it names could not"
            " be compared",
            why=f"{there.digest}: {there.unread}",
            hint=hint,
        )
    if there.fingerprint is None:
        raise ConflictError(
            what,
            why=f"{there.digest} was not pushed by schoolctl: it has no fingerprint",
            hint=hint,
        )
    raise ConflictError(
        what,
        why=f"{there.digest} was built from other files, arguments or platform"
        f" (fingerprint {there.fingerprint[:12]}, this would be {release.fingerprint[:12]})",
        hint=hint,
    )


def plan_pushed(image: ImageRef, there: TaggedImage) -> Plan:
    """Give the plan for a release that is there: nothing."""
    return Plan(
        f"push {image}",
        (),
        nothing=f"nothing to do: {image} is there, built from the same files ({there.digest})",
    )


def plan_push(
    release: Release, image: ImageRef, local: LocalBuild, *, create_repository: bool
) -> Plan:
    """Give the steps that bring a release into the repository.

    Args:
        release: what to push.
        image: its reference in the repository.
        local: what the engine has: a build of the very same is not built again.
        create_repository: whether the repository must be made first.
    """
    steps: list[Step] = []
    if create_repository:
        steps.append(CreateRepository(image.repository.name))
    if not _is_built(release, local):
        steps.append(_build(release, image, local.builder))
    steps.append(PushImage(image))
    return Plan(f"push {image}", tuple(steps), notes=_notes(release))


def plan_build(release: Release, image: ImageRef, local: LocalBuild) -> Plan:
    """Give the step that builds a release; none, where the engine has the very same."""
    nothing = f"nothing to do: the engine has {image}, built from the same files"
    steps = () if _is_built(release, local) else (_build(release, image, local.builder),)
    return Plan(f"build {image}", steps, nothing=nothing, notes=_notes(release), local=True)


def _is_built(release: Release, local: LocalBuild) -> bool:
    return (
        local.labels is not None
        and local.labels.get(FINGERPRINT) == release.fingerprint
        # The same files may belong to another commit by now, and the image says which.
        and local.labels.get(REVISION) == release.labels.get(REVISION)
        and fits_platform(local.platform, release.platform)
    )


def _build(release: Release, image: ImageRef, builder: Builder) -> BuildImage:
    return BuildImage(
        image=image,
        context=release.context,
        dockerfile=release.dockerfile,
        platform=release.platform,
        build_args=release.build_args,
        labels=release.labels,
        context_bytes=release.context_bytes,
        builder=builder,
    )


def _notes(release: Release) -> tuple[str, ...]:
    changed = getattr(release.source, "changed", ())
    if not changed:
        return ()
    return (f"not all of it is committed: {', '.join(changed[:5])}{', ...' * (len(changed) > 5)}",)  # noqa: PLR2004  # as many as fit on a line
