"""A problem in a configuration file, and the error that carries all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConfigError
from schoolctl.config.tree import Layer, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where; `path` is empty where the whole file is meant."""

    origin: Origin
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.origin.shown_file}:{self.origin.line}:{self.origin.column}"
        subject = f"{self.path}: " if self.path else ""
        return f"{place}  {subject}{self.message}"

    def document(self) -> dict[str, object]:
        """Give the problem as `--json` shows it."""
        return {
            "file": self.origin.shown_file,
            "line": self.origin.line,
            "column": self.origin.column,
            "path": self.path,
            "message": self.message,
        }


class InvalidConfigError(ConfigError):
    """A configuration that cannot be used, with everything that is wrong with it.

    Args:
        problems: at least one; they are sorted by file (committed ones first) and line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sort_problems(problems)
        names = dict.fromkeys(problem.origin.shown_file for problem in self.problems)
        count = len(self.problems)
        super().__init__(
            f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'}"
            f" {count} problem{'' if count == 1 else 's'}",
            why="\n".join(str(problem) for problem in self.problems),
            hint="correct the file, then run `schoolctl config check`",
        )

    def document(self) -> dict[str, object]:
        """Give the error for `--json`, each problem as an object of its own."""
        problems = [problem.document() for problem in self.problems]
        return {**super().document(), "problems": problems}


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by file (the committed one first), line and column; each problem once."""
    return tuple(
        sorted(
            set(problems),
            key=lambda problem: (
                problem.origin.layer is Layer.OVERLAY,
                problem.origin.shown_file,
                problem.origin.line,
                problem.origin.column,
                problem.path,
                problem.message,
            ),
        )
    )
