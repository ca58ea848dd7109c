"""The only printer: results on stdout, everything else on stderr, or one JSON document.

Markup and highlighting are off everywhere: a tag `[prod]` arrives as it is. Without a terminal
there is no colour, no spinner and no line that is drawn again.
"""

from __future__ import annotations

import getpass
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from schoolctl.base.errors import DeclinedError, ExitCode, SchoolctlError, UsageError
from schoolctl.base.text import size
from schoolctl.model.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.live import Live
    from rich.progress import Progress, TaskID

    from schoolctl.base.plan import Plan

_WIDE = 1_000_000
"""Columns where a stream is no terminal: nothing is wrapped there."""


class Transfer(Protocol):
    """Shows the layers of a push or pull while they move."""

    def update(self, layer: str, status: str, done: int | None, total: int | None) -> None:
        """Show that `layer` is at `done` of `total` bytes (None: not known)."""
        ...


class View(Protocol):
    """A few lines that are drawn again while something is watched."""

    def update(self, lines: Sequence[str], moving: str = "") -> None:
        """Show `lines` instead of those before; only a terminal sees `moving`, above them."""
        ...

    def event(self, line: str) -> None:
        """Leave a line standing above the view."""
        ...

    def heartbeat(self, line: str) -> None:
        """Tell a log that has had no news for a while; a terminal sees the view move."""
        ...


class Reporter:
    """Prints what a command finds, does and fails at.

    With `json_output`, text results are left out and the documents given to `result` are merged
    into the one document that `finish` prints.
    """

    def __init__(
        self,
        *,
        json_output: bool = False,
        verbose: int = 0,
        quiet: bool = False,
        color: bool = True,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        stdin: TextIO | None = None,
    ) -> None:
        self.json_output = json_output
        self.verbose = verbose
        self.quiet = quiet
        self._color = color
        self.advice: Callable[[str], str] = str
        """Puts the environment into the commands that a note or warning names; results stay as they
        are, for they may be values."""
        self.cure: Callable[[str], str] = str
        """Puts the command that prints a policy behind a warning of what AWS denied."""
        self.warned: list[str] = []
        """The warnings so far, and what a result says in place of one."""
        self.failed = False
        """Whether an error was told."""
        self.stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._stdin = stdin or sys.stdin
        self._document: dict[str, object] = {}
        self._streaming = False
        self._live: Live | None = None

    # What the user asked for

    def result(self, document: Mapping[str, object], lines: Iterable[str] = ()) -> None:
        """Give a result: `document` for `--json`, `lines` for people."""
        if self.json_output:
            self._document.update(document)
            return
        for line in lines:
            self._write(self.stdout, line)

    def table(
        self,
        document: Mapping[str, object],
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        right: Sequence[str] = (),
    ) -> None:
        """Give rows under headings; `right` names the columns that are set to the right."""
        if self.json_output:
            self._document.update(document)
            return
        from schoolctl.output.columns import aligned

        lines = aligned(
            [columns, *rows],
            right=[column in right for column in columns],
            width=self.width,
        )
        self._write(self.stdout, next(lines), "bold")
        # In one go: a repository may have ten thousand images.
        if text := "\n".join(lines):
            self._write(self.stdout, text)

    @property
    def draws_lines(self) -> bool:
        """Whether a drawing may have lines of Unicode."""
        return "utf" in (getattr(self.stdout, "encoding", None) or "").lower()

    def record(self, document: Mapping[str, object], line: str, *, style: str = "") -> None:
        """Give one item of a stream at once: a JSON line, or a line of text."""
        if self.json_output:
            self._streaming = True
            self._write(self.stdout, json.dumps(document, ensure_ascii=False))
        else:
            self._write(self.stdout, line, style)
        self.stdout.flush()

    @property
    def width(self) -> int | None:
        """The columns of the terminal that results go to; None where they go to none."""
        return self._console(self.stdout).width if self.stdout.isatty() else None

    # What the user should know

    def note(self, text: str) -> None:
        """Say what is going on; `--quiet` leaves it out."""
        if not self.quiet:
            self._write(self._stderr, self.advice(text))

    def warn(self, text: str) -> None:
        """Say what the user should look at, in spite of `--quiet`."""
        self.warned.append(text)
        self._write(self._stderr, f"warning: {self.advice(self.cure(text))}", "yellow")

    def detail(self, text: str) -> None:
        """Say something that only `--verbose` shows."""
        if self.verbose:
            self._write(self._stderr, text, "dim")

    def plan(self, plan: Plan, *, steps: bool = True) -> None:
        """Show a plan's warnings, notes and, unless `steps` is off, its steps."""
        for warning in plan.warnings:
            self.warn(warning)
        for line in plan.notes:
            self.note(line)
        if not plan.steps:
            self.note(plan.nothing)
            return
        if not steps:
            return
        self.note(plan.summary)
        for number, step in enumerate(plan.steps, 1):
            self.note(f"  {number}. {step.describe()}")

    def error(self, error: SchoolctlError) -> None:
        """Say what failed, why, what to do next, and what had been done before."""
        self._close_live()
        self.failed = True
        if self.json_output:
            self._document["error"] = error.document()
        self._write(self._stderr, f"error: {error.what}", "bold red")
        _labelled(self, "why:  ", error.why)
        for line in error.details:
            self._write(self._stderr, f"       {line}".rstrip())
        _labelled(self, "done: ", "\n".join(error.done))
        _labelled(self, "left: ", "\n".join(error.left))
        _labelled(self, "hint: ", error.hint)

    def finish(self, exit_code: ExitCode | int) -> None:
        """Print the one JSON document; without `--json`, nothing."""
        self._close_live()
        if not self.json_output:
            return
        if self._streaming:
            if "error" in self._document:
                self._write(self.stdout, json.dumps({"error": self._document["error"]}))
            return
        document = {"ok": int(exit_code) == ExitCode.DONE, **self._document}
        self._write(self.stdout, json.dumps(document, indent=2, ensure_ascii=False, default=str))

    # Questions

    @property
    def interactive(self) -> bool:
        """Whether there is somebody to ask."""
        return self._stdin.isatty() and self._stderr.isatty()

    def ask(self, question: str) -> str:
        """Ask for a line of text; without a terminal, a `DeclinedError`."""
        self._need_terminal(question)
        self._stderr.write(f"{question} ")
        self._stderr.flush()
        line = self._stdin.readline()
        if not line:
            raise DeclinedError(f"no answer to: {question}")
        return line.rstrip("\n")

    def ask_secret(self, question: str) -> SecretValue:
        """Ask for a value that is not shown while it is typed."""
        self._need_terminal(question)
        try:
            return SecretValue(getpass.getpass(f"{question} ", stream=self._stderr))
        except EOFError as end:
            raise DeclinedError(f"no answer to: {question}") from end

    def confirm(self, question: str) -> None:
        """Go on if the user agrees; otherwise a `DeclinedError`."""
        if not self.interactive:
            raise DeclinedError(
                "nothing was changed",
                why=f"{question} There is no terminal to answer on.",
                hint="run it with --dry-run to see the plan, or with --yes to agree to it",
            )
        if self.ask(f"{question} [y/N]").strip().lower() not in {"y", "yes"}:
            raise DeclinedError("nothing was changed", why="you did not agree")

    def read_stdin(self) -> bytes:
        """Read all of standard input, as it is; from a terminal, a `UsageError`."""
        if self._stdin.isatty():
            raise UsageError(
                "--stdin reads from a pipe or a file, and standard input is a terminal",
                why="what is typed there would be shown",
                hint="leave --stdin out to be asked for the value",
            )
        raw = getattr(self._stdin, "buffer", None)
        return raw.read() if raw is not None else self._stdin.read().encode()

    # Things that move

    @contextmanager
    def transfer(self) -> Iterator[Transfer]:
        """Show layers while they are pushed or pulled: bars on a terminal, else a line each."""
        if self.quiet or not self._stderr.isatty():
            yield _PlainTransfer(self)
            return
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console(self._stderr),
            transient=True,
        )
        with progress:
            yield _BarTransfer(progress)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Show a few lines that change; without a terminal, each new line once."""
        if not self._stderr.isatty() or self.quiet:
            yield _PlainView(self)
            return
        from rich.live import Live

        self._live = Live(console=self._console(self._stderr), transient=True, auto_refresh=False)
        try:
            with self._live:
                yield _LiveView(self._live)
        finally:
            self._live = None

    # How

    def _need_terminal(self, question: str) -> None:
        if not self.interactive:
            raise DeclinedError(
                f"cannot ask: {question}",
                why="standard input is no terminal",
                hint="give the value with an option, --stdin or --from-file",
            )

    def _close_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        return Console(
            file=stream,
            markup=False,
            highlight=False,
            emoji=False,
            no_color=None if self._color else True,
            width=None if stream.isatty() else _WIDE,
        )

    def _write(self, stream: TextIO, text: str, style: str = "") -> None:
        # A terminal of another encoding gets `\u20ac` for what it cannot show, not a failure.
        encoding = getattr(stream, "encoding", None) or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding)
        if style and self._color and stream.isatty():
            self._console(stream).print(shown, style=style, soft_wrap=True)
        else:
            stream.write(f"{shown}\n")


def _labelled(reporter: Reporter, label: str, text: str) -> None:
    for number, line in enumerate(text.splitlines()):
        reporter._write(reporter._stderr, f"{label if number == 0 else '      '} {line}")  # noqa: SLF001  # part of this class, kept out for length


class _PlainTransfer:
    """A line for each layer when it is through."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._seen: dict[str, str] = {}
        self._totals: dict[str, int] = {}

    def update(self, layer: str, status: str, done: int | None, total: int | None) -> None:
        del done
        if total:
            self._totals[layer] = total
        if self._seen.get(layer) != status and status not in {"Preparing", "Waiting", "Pushing"}:
            moved = f" ({size(self._totals[layer])})" if layer in self._totals else ""
            self._reporter.note(f"  {layer}: {status.lower()}{moved}")
        self._seen[layer] = status


class _BarTransfer:
    """A bar for each layer that has bytes to move, and from the second one on for all together."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._totals: dict[str, int] = {}
        self._moved: dict[str, int] = {}
        self._all: TaskID | None = None

    def update(self, layer: str, status: str, done: int | None, total: int | None) -> None:
        if layer not in self._bars:
            if not total:
                return
            self._bars[layer] = self._progress.add_task(layer, total=total)
        # The engine's last figure may pass the total: it counts the tar's own padding.
        self._progress.update(
            self._bars[layer],
            description=f"{layer} {status.lower()}",
            completed=min(done, total) if done is not None and total else None,
        )
        if total:
            self._totals[layer] = total
        # A layer that is through says so without a figure.
        known = self._totals[layer]
        through = status in {"Pushed", "Mounted", "Pull complete"}
        self._moved[layer] = known if through else min(done or 0, known)
        self._sum_up()

    def _sum_up(self) -> None:
        if len(self._bars) < 2:  # noqa: PLR2004  # one layer is all there is
            return
        if self._all is None:
            self._all = self._progress.add_task("all together")
        moved, total = sum(self._moved.values()), sum(self._totals.values())
        self._progress.update(self._all, completed=moved, total=total)


class _PlainView:
    """Prints a line when it is new: what a CI log wants."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._last: set[str] = set()

    def update(self, lines: Sequence[str], moving: str = "") -> None:
        del moving
        for line in lines:
            if line and line not in self._last:
                self._reporter.note(line)
        self._last = set(lines)

    def event(self, line: str) -> None:
        self._reporter.note(line)

    def heartbeat(self, line: str) -> None:
        self._reporter.note(line)


class _LiveView:
    """Draws the lines in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def update(self, lines: Sequence[str], moving: str = "") -> None:
        from rich.text import Text

        self._live.update(Text("\n".join(filter(None, (moving, *lines)))), refresh=True)

    def event(self, line: str) -> None:
        self._live.console.print(line, soft_wrap=True)

    def heartbeat(self, line: str) -> None:
        del line
