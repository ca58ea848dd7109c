"""Images: digests, tags, references, repositories, scans, builders and build secrets."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Self

from schoolctl.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from schoolctl.model.values import SecretValue

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]+:[^/\s@]+@|\bAKIA[A-Z0-9]{16}\b|\bgh[pousr]_\w{20}|npm_\w{20}"
)


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Docker's own limit of 128; ECR's API would take 300, which no engine can push.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, order=True)
class Digest:
    """An image digest, `sha256:` and 64 hexadecimal digits."""

    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest; anything else is a `UsageError`."""
        if not _DIGEST.fullmatch(text):
            raise UsageError(
                f"{text!r} is not an image digest",
                why="a digest is `sha256:` followed by 64 hexadecimal digits",
                hint="run `schoolctl images list --json` to see the digests",
            )
        return cls(text)

    @property
    def short(self) -> str:
        """The first twelve digits, as people compare them."""
        return self.value.removeprefix("sha256:")[:12]

    def __str__(self) -> str:
        return self.value

    def __hash__(self) -> int:
        return hash(self.value)  # which a text keeps; thousands are looked up at once


def parse_tag(text: str) -> str:
    """Give `text` back if it may be the tag of a release, or raise a `UsageError`.

    `latest` is refused: it names another image every week, so nothing can be rolled back to it.
    """
    if text.lower() == "latest":
        raise UsageError(
            f"the tag `{text}` is refused",
            why="it moves, so a revision that names it cannot be told from another or rolled back",
            hint="give each release its own tag: `schoolctl push --tag 1.0`, then deploy that tag",
        )
    if not _TAG.fullmatch(text):
        raise UsageError(
            f"{text!r} is not an image tag",
            why="a tag has 1 to 128 letters, digits, `_`, `.` or `-`, and starts with none of `.-`",
            hint="use a version or a commit, such as `1.0` or `2026-11-02`",
        )
    return text


@dataclass(frozen=True, order=True)
class RepositoryUri:
    """Where images of one repository live: registry host and repository name."""

    registry: str
    name: str

    def tagged(self, tag: str) -> ImageRef:
        """Give the reference of this repository's image `tag`."""
        return ImageRef(self, tag=tag)

    def at(self, digest: Digest) -> ImageRef:
        """Give the reference of this repository's image with `digest`."""
        return ImageRef(self, digest=digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


@dataclass(frozen=True)
class ImageRef:
    """An image reference: a repository with a tag or a digest (the digest wins in text)."""

    repository: RepositoryUri
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `registry/name:tag` or `registry/name@sha256:...`; None for other forms."""
        body, _, digest_text = text.partition("@")
        head, colon, tag = body.rpartition(":")
        if not colon or "/" in tag:
            head, tag = body, ""
        registry, slash, name = head.partition("/")
        if not slash or not name or (digest_text and not _DIGEST.fullmatch(digest_text)):
            return None
        digest = Digest(digest_text) if digest_text else None
        return cls(RepositoryUri(registry, name), tag=tag or None, digest=digest)

    def __str__(self) -> str:
        if self.digest is not None:
            return f"{self.repository}@{self.digest}"
        return f"{self.repository}:{self.tag}" if self.tag else str(self.repository)


@dataclass(frozen=True)
class Repository:
    """An ECR repository as DescribeRepositories tells of it."""

    name: str
    uri: RepositoryUri
    arn: str
    immutable_tags: bool
    scan_on_push: bool
    encryption: str
    created_at: datetime | None
    tag_exclusions: tuple[str, ...] = ()
    """Patterns of tags for which `immutable_tags` is the other way round."""


@dataclass(frozen=True)
class Image:
    """One image of an ECR repository; `tags` may be empty, `children` is filled for an index."""

    digest: Digest
    tags: tuple[str, ...]
    size_bytes: int
    pushed_at: datetime
    pulled_at: datetime | None = None
    media_type: str = ""
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None
    """The image that this one (an attestation, a signature) refers to."""
    archived: bool = False
    """Whether it has to be restored from ECR's archive before it can be read or pulled."""


@dataclass(frozen=True)
class Source:
    """The state of a git work tree.

    Attributes:
        commit: the full name of HEAD's commit.
        committed_at: the committer's time.
        branches: the branch that is checked out; for a detached HEAD, as CI systems have it,
            the branches that end at this commit, the remote's too.
        url: of the remote `origin`, without user name and password; None without one.
        changed: paths with changes that are not committed, new files too, in the paths asked about.
    """

    commit: str
    committed_at: datetime
    branches: tuple[str, ...]
    url: str | None
    changed: tuple[str, ...]

    @property
    def short(self) -> str:
        """The commit's first twelve digits."""
        return self.commit[:12]


@dataclass(frozen=True)
class NoSource:
    """Why git cannot tell: no repository, no commit yet, no git."""

    reason: str


class Ignored(Enum):
    """What git does with a path."""

    NO_GIT = "there is no git repository here"
    IGNORED = "git ignores it"
    NOT_IGNORED = "git does not ignore it"
    TRACKED = "it is committed"


@dataclass(frozen=True)
class RegistryLogin:
    """What a registry is logged in to with; ECR's user name is always `AWS`."""

    registry: str
    """The registry's host, and its port where it has one."""
    username: str
    password: SecretValue
    expires_at: datetime


def fits_platform(built: str, wanted: str) -> bool:
    """Say whether an image for `built` runs where `wanted` is asked for.

    An engine may name a variant, too: what it builds for `linux/arm64` it calls `linux/arm64/v8`.
    """
    return built == wanted or built.startswith(f"{wanted}/")


class Severity(StrEnum):
    """How bad a finding is, the worst first; what `--fail-on` takes."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_OTHERS = ("informational", "undefined", "untriaged")
_UNDER_WAY = frozenset({"PENDING", "IN_PROGRESS"})
_DONE = frozenset({"COMPLETE", "ACTIVE"})
"""ACTIVE is what the continuous scan of Amazon Inspector says of an image that it watches."""
_MEANINGS = {
    "FAILED": "the scan failed",
    "UNSUPPORTED_IMAGE": "ECR cannot scan an image of this kind",
    "SCAN_ELIGIBILITY_EXPIRED": "the image is too old for the registry's scan",
    "FINDINGS_UNAVAILABLE": "the findings are not available",
    "LIMIT_EXCEEDED": "the account's limit of scans is used up (one a day for each image)",
    "IMAGE_ARCHIVED": "the image is in ECR's archive",
    "": "ECR knows of no scan of the image",
}


@dataclass(frozen=True)
class Scan:
    """A scan of one image.

    Attributes:
        status: as ECR calls it; empty where ECR knows of none.
        description: ECR's words on the status.
        counts: how many findings there are, by severity in lower case.
        worst: a line for each of the worst findings.
    """

    status: str = ""
    description: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    worst: tuple[str, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether its result is still to come."""
        return self.status in _UNDER_WAY

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self.status in _DONE

    @property
    def why_without_result(self) -> str:
        """Why there is no result, and none will come."""
        meaning = _MEANINGS.get(self.status, f"its state is {self.status}")
        return f"{meaning}: {self.description}" if self.description else meaning

    def summary(self) -> str:
        """Say what was found, the worst first: `1 critical, 3 high`."""
        known = [*map(str, Severity), *_OTHERS]
        names = [*known, *sorted(set(self.counts) - set(known))]
        told = [f"{self.counts[name]} {name}" for name in names if self.counts.get(name)]
        return ", ".join(told) or "nothing found"

    def too_bad(self, limit: Severity) -> int:
        """Give how many findings are as bad as `limit` or worse."""
        levels = list(Severity)
        return sum(self.counts.get(each, 0) for each in levels[: levels.index(limit) + 1])


def age(image: Image) -> tuple[datetime, str]:
    """Give what images are sorted by, the oldest first.

    Two may have been pushed in the same second; which is the newer must not be chance.
    """
    return image.pushed_at, image.digest.value


class BuilderChoice(StrEnum):
    """What `--builder` takes."""

    AUTO = "auto"
    BUILDKIT = "buildkit"
    CLASSIC = "classic"


class BuilderKind(StrEnum):
    """Which of the two builders."""

    BUILDKIT = "BuildKit"
    CLASSIC = "the classic builder"


@dataclass(frozen=True)
class Builder:
    """A builder that was found.

    Attributes:
        kind: which of the two.
        cli: the docker CLI that leads to BuildKit; empty for the classic builder.
        buildx: whether that CLI has it as a plugin.
    """

    kind: BuilderKind
    cli: str = ""
    buildx: bool = False

    def __str__(self) -> str:
        return str(self.kind)


@dataclass(frozen=True)
class BuildSecret:
    """A secret for one build: from a file or from a variable of the process's environment."""

    id: str
    file: Path | None = None
    variable: str = ""

    @property
    def option(self) -> str:
        """The secret as `docker build --secret` takes it."""
        source = f"src={self.file}" if self.file is not None else f"env={self.variable}"
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([f"id={self.id}", source])
        return line.getvalue()


def secret_arguments(build_args: Mapping[str, str]) -> list[str]:
    """Give the names of build arguments that look like secrets, by name or by value."""
    return [
        name
        for name, value in sorted(build_args.items())
        if value and (_SECRET_NAME.search(name) or _SECRET_VALUE.search(value))
    ]
