"""Builds: which builder there is, and the secrets that a build may read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
