"""Reads of the project before a build or a push, and the descriptions of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecr import authorization
from schoolctl.base.partitions import partition_of
from schoolctl.base.text import count, size
from schoolctl.docker.builder import parse_build_secrets
from schoolctl.docker.context import Kind, read_context
from schoolctl.images.push.git import read_source
from schoolctl.images.push.npm_lock import find_stale_locks, refuse_stale_locks
from schoolctl.images.push.release import check_git, choose_tag
from schoolctl.images.push.rules import LocalBuild, Release
from schoolctl.model.images import RepositoryUri, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.core.executor import Outcome
    from schoolctl.core.run import Run
    from schoolctl.docker.context import BuildContext
    from schoolctl.images.push.npm_lock import StaleLock
    from schoolctl.model.images import BuilderChoice, ImageRef

_MOST_LISTED = 3
_NOTEWORTHY_BYTES = 50_000_000


def read_release(run: Run, tag: str | None) -> tuple[Release, BuildContext]:
    """Read what would be built, and refuse what must not be: secrets, a forbidden branch."""
    config = run.config
    root, dockerfile = run.resolved.context_path, run.resolved.dockerfile_path
    if tag is not None:
        choose_tag(tag, None, dirty=False, fingerprint="")  # a bad tag ends it before all else
    found = read_files(run)
    source = read_source(root, [root, dockerfile], run.services.environ)
    check_git(
        source, branch=config.git.branch, clean=config.git.clean, environment=config.environment
    )
    found.check()
    fingerprint = found.fingerprint(
        build_args=config.image.build_args, platform=config.image.platform
    )
    known = source if isinstance(source, Source) else None
    release = Release(
        tag=choose_tag(
            tag,
            known.short if known else None,
            dirty=bool(known and known.changed),
            fingerprint=fingerprint,
        ),
        source=source,
        context=root,
        context_bytes=found.size_bytes,
        dockerfile=dockerfile,
        platform=config.image.platform,
        build_args=config.image.build_args,
        fingerprint=fingerprint,
    )
    return release, found


def read_files(run: Run) -> BuildContext:
    """Read the build context."""
    resolved = run.resolved
    return read_context(
        resolved.context_path, resolved.dockerfile_path, allow=run.config.image.allow
    )


def prepare_build(
    run: Run,
    release: Release,
    found: BuildContext,
    *,
    secrets: Sequence[str],
    allow_stale_lock: bool,
) -> Release:
    """Look at what only a build needs: npm's lock file, the secrets.

    Args:
        run: the run.
        release: what was read.
        found: its build context.
        secrets: the values of `--secret`.
        allow_stale_lock: whether a lock file out of step is a warning, and no error.
    """
    from dataclasses import replace

    parsed = parse_build_secrets(secrets, run.services.directory, run.services.environ)
    stale = look_at_locks(found)
    if not allow_stale_lock:
        refuse_stale_locks(stale)
    warnings = [f"{each.lock} is out of step with {each.source}" for each in stale]
    if found.size_bytes > _NOTEWORTHY_BYTES:
        largest = ", ".join(f"{path} {size(each)}" for path, each in found.largest(_MOST_LISTED))
        warnings.append(
            f"the build context is {size(found.size_bytes)} (the largest: {largest}):"
            " `schoolctl build --list-context` lists it, .dockerignore leaves things out"
        )
    return replace(release, secrets=parsed, warnings=tuple(warnings))


def look_at_locks(found: BuildContext) -> list[StaleLock]:
    """Look for lock files of npm that the build would not get past."""
    dockerfile = found.dockerfile.read_text(encoding="utf-8", errors="replace")
    return find_stale_locks({each.path for each in found.entries}, found.text_of, dockerfile)


def look_locally(run: Run, image: ImageRef, builder: BuilderChoice) -> LocalBuild:
    """See which builder the engine has, and whether it has the image already."""
    found = run.engine.image(str(image))
    return LocalBuild(
        run.engine.builder(builder),
        labels=found.labels if found else None,
        platform=found.platform if found else "",
    )


def repository_uri(run: Run) -> RepositoryUri:
    """Give where the environment's images go; AWS is asked only where the account is not pinned."""
    config = run.config
    registry = config.registry
    if registry is None and config.account is not None:
        region = str(run.connection.region.value)
        registry = f"{config.account}.dkr.ecr.{region}.{partition_of(region).host_suffix}"
    if registry is None:
        registry = authorization(run.clients).registry
    return RepositoryUri(registry, config.image.repository)


def described(release: Release, image: ImageRef) -> dict[str, object]:
    """Give the part of a document that tells what was built."""
    return {
        "image": str(image),
        "tag": release.tag,
        "platform": release.platform,
        "fingerprint": release.fingerprint,
        "commit": getattr(release.source, "commit", None),
        "context_bytes": release.context_bytes,
    }


def list_context(run: Run) -> None:
    """Show what a builder would get, the largest first, and then what must not be in it."""
    found = read_files(run)
    files = sorted(
        (each for each in found.entries if each.kind is not Kind.DIRECTORY),
        key=lambda each: (-each.size_bytes, each.path),
    )
    run.reporter.table(
        {
            "context": str(found.root),
            "size_bytes": found.size_bytes,
            "files": [{"path": each.path, "size_bytes": each.size_bytes} for each in files],
            "findings": [
                {"path": each.path, "reason": each.reason} for each in sorted(found.findings)
            ],
        },
        ("SIZE", "PATH"),
        [(size(each.size_bytes), each.path) for each in files],
        right=("SIZE",),
    )
    run.reporter.note(f"{count(len(files), 'file')}, {size(found.size_bytes)}, from {found.root}")
    found.check()


def scan_document(outcome: Outcome) -> dict[str, object] | None:
    """Give the part of a document that tells of ECR's scan; None where none was read."""
    if outcome.scan is None:
        return None
    return {"status": outcome.scan.status, "counts": dict(outcome.scan.counts)}
