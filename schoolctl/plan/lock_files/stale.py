"""What is found about a lock file, and the files that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class StaleLock:
    """A lock file that is out of step.

    Attributes:
        lock: its path in the context.
        source: the path of what it was made from.
        differences: a sentence each, beginning with the package.
        cure: the command that makes it anew, and where.
    """

    lock: str
    source: str
    differences: tuple[str, ...]
    cure: str


@dataclass(frozen=True)
class Files:
    """The files of a context: those that are sent, and the text of any."""

    paths: frozenset[str]
    read: Callable[[str], str | None]


def beside(path: str, name: str) -> str:
    """Give the path of a file in the same folder as `path`."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def run_in_folder_of(path: str, command: str) -> str:
    """Give a command to run where a file lies, for people."""
    folder = path.rpartition("/")[0]
    return f"`{command}` in {folder}/" if folder else f"`{command}`"
