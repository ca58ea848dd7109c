"""A bad input: what is typed where, and how the command has to end."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bad_input.scene import Scene

USAGE = ExitCode.USAGE


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        words: the command line, as it is typed in a shell; or its words.
        says: what the error has to say; each of them.
        code: the exit code.
        stdin: what comes through a pipe.
        config: schoolctl.yaml; None: there is none.
        environ: of the process; None unsets a variable.
        files: of the project, readable by their owner alone.
        home: files of the home folder.
        prepare: what the account or the project holds besides.
        hides: what must not be repeated.
        engine: whether an engine would be there.
        asks: whether AWS has to be asked to tell a wrong use; else it is asked nothing.
    """

    words: str | tuple[str, ...]
    says: tuple[str, ...] | str
    code: ExitCode = USAGE
    stdin: str | bytes = ""
    config: str | bytes | None = CONFIG
    environ: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    home: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Scene], object] | None = None
    hides: str = ""
    engine: bool = False
    asks: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The words of the command line."""
        return tuple(shlex.split(self.words)) if isinstance(self.words, str) else self.words

    @property
    def told(self) -> tuple[str, ...]:
        """What the error has to say."""
        return (self.says,) if isinstance(self.says, str) else self.says


def changed(before: str, after: str) -> str:
    """Give the usual configuration with something else in one place."""
    assert before in CONFIG
    return CONFIG.replace(before, after, 1)
