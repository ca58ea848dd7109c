"""Images, uses and releases as tests write them down."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schoolctl.images.push.rules import LocalBuild, Release
from schoolctl.model.images import (
    Builder,
    BuilderKind,
    Digest,
    Image,
    ImageRef,
    NoSource,
    RepositoryUri,
    Source,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
REPOSITORY = RepositoryUri("123456789012.dkr.ecr.us-east-1.amazonaws.com", "schoolapp-backend")
BUILDKIT = Builder(BuilderKind.BUILDKIT, "docker")


def digest(name: str) -> Digest:
    """Give a digest that a test knows by a short name."""
    return Digest(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}")


def image(
    name: str,
    *tags: str,
    days: float = 100,
    children: tuple[str, ...] = (),
    subject: str | None = None,
) -> Image:
    """Give an image that was pushed `days` ago."""
    return Image(
        digest=digest(name),
        tags=tags,
        size_bytes=1000,
        pushed_at=NOW - timedelta(days=days),
        children=tuple(map(digest, children)),
        subject=digest(subject) if subject else None,
    )


def source(*changed: str, branches: tuple[str, ...] = ("main",), url: str | None = None) -> Source:
    """Give what git tells of a commit."""
    return Source("c0ffee" + "0" * 34, NOW, branches, url, changed)


def release(
    tag: str = "1.0", *, told: Source | NoSource | None = None, fingerprint: str = "f" * 64
) -> Release:
    """Give a release of a small project."""
    return Release(
        tag=tag,
        source=told or source(),
        context=Path("/project"),
        context_bytes=1200,
        dockerfile=Path("/project/Dockerfile"),
        platform="linux/amd64",
        build_args={},
        fingerprint=fingerprint,
    )


def reference(tag: str = "1.0") -> ImageRef:
    """Give the reference that a release has in the repository."""
    return REPOSITORY.tagged(tag)


NOTHING_LOCAL = LocalBuild(BUILDKIT)
