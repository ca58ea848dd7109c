"""The plans for creating a repository, a build and a push. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.images.push.release import FINGERPRINT, REVISION, release_labels
from schoolctl.images.push.steps import BuildImage, CreateRepository, PushImage, ReadScan
from schoolctl.model.images import BuilderKind, fits_platform, secret_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from schoolctl.base.plan import Step
    from schoolctl.model.images import (
        Builder,
        BuildSecret,
        Digest,
        ImageRef,
        NoSource,
        Repository,
        Severity,
        Source,
    )


_TO_TELL_SECONDS = 30.0
_TO_DECIDE_SECONDS = 300.0


def plan_repository(name: str, there: Repository | None) -> Plan:
    """Give the step that makes the repository; none where it is there, whatever its settings.

    A repository that somebody set up otherwise is not changed: who else uses it is not known.
    """
    if there is None:
        return Plan(f"create repository {name}", (CreateRepository(name),))
    return Plan(
        f"create repository {name}",
        (),
        nothing=f"nothing to do: repository {name} is there",
        warnings=tuple(differences(there)),
    )


def differences(there: Repository) -> list[str]:
    """Give a sentence for each setting in which a repository is not as `repo create` makes one."""
    found = (tag_rule_differs(there), scanning_differs(there))
    return [f"repository {there.name} {what} ({cure})" for what, cure in filter(None, found)]


def tag_rule_differs(there: Repository) -> tuple[str, str] | None:
    """Give which tags can be moved to other content, and the cure; None where none can."""
    cure = (
        f"`aws ecr put-image-tag-mutability --repository-name {there.name}"
        " --image-tag-mutability IMMUTABLE`"
    )
    if not there.immutable_tags:
        return "has mutable tags: another tool can move a tag to other content", cure
    if there.tag_exclusions:
        excluded = ", ".join(there.tag_exclusions)
        return f"has tags that another tool can move to other content: {excluded}", cure
    return None


def scanning_differs(there: Repository) -> tuple[str, str] | None:
    """Give that nothing looks for known weaknesses, and the cure; None where ECR scans on push."""
    if there.scan_on_push:
        return None
    cure = (
        f"`aws ecr put-image-scanning-configuration --repository-name {there.name}"
        " --image-scanning-configuration scanOnPush=true`"
    )
    return "does not scan on push", cure


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
        secrets: what the build may read and the image does not keep.
        warnings: what the user should know of it, and no reason to refuse it.
    """

    tag: str
    source: Source | NoSource
    context: Path
    context_bytes: int
    dockerfile: Path
    platform: str
    build_args: Mapping[str, str]
    fingerprint: str
    secrets: tuple[BuildSecret, ...] = ()
    warnings: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class ScanWish:
    """What is wanted of ECR's scan.

    Attributes:
        fail_on: findings as bad as this are an error; None where they are only told.
        wait_seconds: how long to wait; None for as long as is usual.
        scans_on_push: whether the repository scans what is pushed.
    """

    fail_on: Severity | None = None
    wait_seconds: float | None = None
    scans_on_push: bool = False


def scan_steps(wish: ScanWish, image: ImageRef, digest: Digest | None = None) -> tuple[Step, ...]:
    """Give the step that reads the scan, where one is to be expected or was asked for.

    Args:
        wish: what is wanted.
        image: whose repository it is.
        digest: of an image that is there; None for the one that the plan pushes.
    """
    if wish.fail_on is None and (digest is not None or not wish.scans_on_push):
        return ()
    usual = _TO_DECIDE_SECONDS if wish.fail_on else _TO_TELL_SECONDS
    wait = usual if wish.wait_seconds is None else wish.wait_seconds
    if wish.fail_on is None and not wait:
        return ()
    return (ReadScan(image.repository.name, digest, wish.fail_on, wait),)


def plan_pushed(image: ImageRef, there: TaggedImage, wish: ScanWish = ScanWish()) -> Plan:
    """Give the plan for a release that is there: nothing, but for a scan that was asked for."""
    return Plan(
        f"push {image}",
        scan_steps(wish, image, there.digest),
        nothing=f"nothing to do: {image} is there, built from the same files ({there.digest})",
    )


def plan_push(
    release: Release,
    image: ImageRef,
    local: LocalBuild,
    *,
    create_repository: bool,
    wish: ScanWish = ScanWish(),
) -> Plan:
    """Give the steps that bring a release into the repository.

    Args:
        release: what to push.
        image: its reference in the repository.
        local: what the engine has: a build of the very same is not built again.
        create_repository: whether the repository must be made first.
        wish: what is wanted of ECR's scan.
    """
    steps: list[Step] = []
    if create_repository:
        steps.append(CreateRepository(image.repository.name))
    if not _is_built(release, local):
        steps.append(_build(release, image, local.builder))
    steps += [PushImage(image), *scan_steps(wish, image)]
    return Plan(
        f"push {image}", tuple(steps), notes=_notes(release), warnings=_warnings(release, steps)
    )


def plan_build(release: Release, image: ImageRef, local: LocalBuild) -> Plan:
    """Give the step that builds a release; none, where the engine has the very same."""
    nothing = f"nothing to do: the engine has {image}, built from the same files"
    steps = () if _is_built(release, local) else (_build(release, image, local.builder),)
    return Plan(
        f"build {image}",
        steps,
        nothing=nothing,
        notes=_notes(release),
        warnings=_warnings(release, steps),
        local=True,
    )


def _is_built(release: Release, local: LocalBuild) -> bool:
    return (
        local.labels is not None
        and local.labels.get(FINGERPRINT) == release.fingerprint
        # The same files may belong to another commit by now, and the image says which.
        and local.labels.get(REVISION) == release.labels.get(REVISION)
        and fits_platform(local.platform, release.platform)
    )


def _build(release: Release, image: ImageRef, builder: Builder) -> BuildImage:
    if release.secrets and builder.kind is BuilderKind.CLASSIC:
        raise UsageError(
            "--secret needs BuildKit, and this build is for the classic builder",
            why="the classic builder could only bake it into the image",
            hint="install the docker CLI with its buildx plugin, and leave out --builder classic",
        )
    return BuildImage(
        image=image,
        context=release.context,
        dockerfile=release.dockerfile,
        platform=release.platform,
        build_args=release.build_args,
        labels=release.labels,
        context_bytes=release.context_bytes,
        builder=builder,
        secrets=release.secrets,
    )


def _warnings(release: Release, steps: Sequence[Step]) -> tuple[str, ...]:
    if not any(isinstance(each, BuildImage) for each in steps):
        return ()
    arguments = (
        f"build argument {name} looks like a secret, and whoever pulls the image can read it in"
        f" its history: hand it over with --secret id={name.lower()},env={name}"
        for name in secret_arguments(release.build_args)
    )
    return (*release.warnings, *arguments)


def _notes(release: Release) -> tuple[str, ...]:
    changed = getattr(release.source, "changed", ())
    if not changed:
        return ()
    return (f"not all of it is committed: {', '.join(changed[:5])}{', ...' * (len(changed) > 5)}",)  # noqa: PLR2004  # as many as fit on a line
