"""The options that commands share, the parsers of their values, and the command classes.

`Command` takes the options of every command (`--env`, `--json`, ...) after the command's name as
well as before it; `ChangingCommand` adds `--dry-run`, `--yes` and `--confirm`, `LockingCommand`
`--lock-wait` to those. A command's function declares none of them: it finds them in its `Run`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from schoolctl.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


ExitWith10 = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 10 when there are differences.")
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show values that look like secrets, too.")]
ImageTag = Annotated[
    str | None, typer.Option("--tag", "-t", metavar="TAG", help="The image with this tag.")
]
ImageDigest = Annotated[
    str | None, typer.Option("--digest", metavar="DIGEST", help="The image with this digest.")
]
AsRevision = Annotated[
    int | None,
    typer.Option("--revision", metavar="N", min=1, help="A revision that exists, as it is."),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Return once ECS has begun, without a verdict.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Begin here: 30s, 10m, 2h, 1d, or an ISO time."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="Stop waiting after this time.")
]
TWENTY_MINUTES = 1200.0
"""How long a rollout is waited for, unless `--timeout` says otherwise."""


@dataclass(frozen=True)
class GlobalOptions:
    """What the options of every command say."""

    env: str | None = None
    profile: str | None = None
    region: str | None = None
    config: Path | None = None
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    no_color: bool = False


GLOBAL_NAMES = tuple(each.name for each in fields(GlobalOptions))
_BELOW = {*GLOBAL_NAMES, "help"}


@dataclass(frozen=True)
class ChangeOptions:
    """What the options of the commands that change something say."""

    dry_run: bool = False
    yes: bool = False
    confirm: str | None = None
    lock_wait: float = 0.0


def global_options(
    env: Annotated[
        str | None,
        typer.Option(
            "--env", "-e", envvar="SCHOOLCTL_ENV", metavar="NAME", help="Environment to work on."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="AWS profile to use.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="NAME", help="AWS region to use.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="SCHOOLCTL_CONFIG",
            metavar="FILE",
            help="Configuration file, else schoolctl.yaml here or above.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more on stderr.")
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only results, warnings and errors.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Use no colour.")] = False,
) -> None:
    """Declare the options of every command; the function itself does nothing."""


def change_options(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and stop.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the question.")] = False,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="NAME", help="The service's name, for a protected environment."
        ),
    ] = None,
) -> None:
    """Declare the options of the commands that change something."""


def lock_options(
    lock_wait: Annotated[
        float,
        typer.Option(
            "--lock-wait", metavar="SECONDS", help="Wait so long for another's deploy lock."
        ),
    ] = 0.0,
) -> None:
    """Declare the option of the commands that hold the deploy lock."""


@cache
def params_of(declare: Callable[..., None]) -> tuple[Any, ...]:
    """Give the click parameters that Typer makes of a function's signature.

    They hold no state of a call, so all commands share them.
    """
    app = typer.Typer(add_completion=False)
    app.command()(declare)
    return tuple(get_command(app).params)


Options = TypeVar("Options", GlobalOptions, ChangeOptions)


def add_params(command: TyperCommand | TyperGroup, declare: Callable[..., None]) -> set[str]:
    """Give a command the options that a function declares; returns their names."""
    added = params_of(declare)
    command.params.extend(added)
    return {str(param.name) for param in added}


class Command(TyperCommand):
    """A command that takes the options of every command after its name, too."""

    shared: tuple[Callable[..., None], ...] = (global_options,)

    def __init__(self, name: str | None, **attrs: Any) -> None:
        super().__init__(name, **attrs)
        self._shared_names = {name for declare in self.shared for name in add_params(self, declare)}

    def invoke(self, ctx: Any) -> Any:
        """Hand the shared options to the run, and the others to the command's function."""
        path = str(ctx.command_path).partition(" ")[2]  # without `schoolctl`
        ctx.obj.begin(path, take_typed(ctx, self._shared_names))
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Give the words of the usage line."""
        return usage_pieces(super().collect_usage_pieces(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the command's own options first."""
        write_options(self, ctx, formatter, shared=_BELOW)


class ChangingCommand(Command):
    """A command that changes something."""

    shared: tuple[Callable[..., None], ...] = (global_options, change_options)


class LockingCommand(ChangingCommand):
    """A command that changes the service: its function works inside `with locked(run):`."""

    shared = (*ChangingCommand.shared, lock_options)


class Group(TyperGroup):
    """A group of commands, such as `params`, that takes the options of every command, too."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._shared_names = add_params(self, global_options)

    def invoke(self, ctx: Any) -> Any:
        """Hand the shared options to the run; the command adds its own to them."""
        ctx.obj.take(take_typed(ctx, self._shared_names))
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter, shared=_BELOW)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with the whole first sentence of each: click would cut it."""
        rows = [
            (name, (command.help or "").strip().partition("\n")[0])
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def take_typed(ctx: Any, names: set[str]) -> dict[str, Any]:
    """Take the options `names` out of a context; gives those that were typed."""
    given = {name: ctx.params.pop(name) for name in tuple(ctx.params) if name in names}
    return {name: value for name, value in given.items() if _is_typed(ctx, name)}


def _is_typed(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def merged(options: Options, typed: dict[str, Any]) -> Options:
    """Give `options` with what was typed after the command's name put over it."""
    known = {each.name for each in fields(options)}
    return replace(options, **{name: value for name, value in typed.items() if name in known})


_PLAIN = (
    (re.compile(r"(default: \d+)\.0\b"), r"\1"),
    (re.compile(r"default: \(([^()]*)\)"), r"default: \1"),
    (re.compile(r"\[x>=(\d+)\]"), r"[at least \1]"),
    (re.compile(r"\[(\d+)<=x<=(\d+)\]"), r"[\1 to \2]"),
    # Nought is what an option means that was not given.
    (re.compile(r"\s*\[default: 0\]$"), ""),
)
# The usage line shows which argument may be left out.
_REQUIRED = re.compile(r"\s*\[required\]$|; required(?=\]$)")
_BRACES = re.compile(r"^\{(.*)\}(\.*)$")


def write_options(command: Any, ctx: Any, formatter: Any, *, shared: Collection[str] = ()) -> None:
    """Write a command's arguments and options; those named in `shared` under a heading below.

    Args:
        command: a command or group of click's.
        ctx: its context.
        formatter: of the page.
        shared: the options that every command has.
    """
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        name, text = record
        title = "Options of every command" if param.name in shared else "Options"
        if param.param_type_name == "argument":
            title, name, text = "Arguments", name.rpartition(" <")[0], _REQUIRED.sub("", text)
        sections.setdefault(title, []).append((name, _in_words(text)))
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _in_words(text: str) -> str:
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    return text


def usage_pieces(pieces: list[str]) -> list[str]:
    """Give the words of a usage line without the braces that Typer puts around an argument."""
    return [_BRACES.sub(r"\1\2", piece) for piece in pieces]


_LONGEST_SECONDS = 24 * 60 * 60
_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def parse_timeout(seconds: float) -> float:
    """Give `seconds` back if a command can wait so long, or raise a `UsageError`."""
    if math.isnan(seconds) or not 0 < seconds <= _LONGEST_SECONDS:
        raise UsageError(
            f"--timeout {seconds:g} is no time to wait",
            why=f"it must be more than 0 and at most {_LONGEST_SECONDS} seconds (a day)",
            hint="leave it out for the usual limit",
        )
    return seconds


def parse_lock_wait(seconds: float) -> float:
    """Give `seconds` back if a command can wait so long for a lock, or raise a `UsageError`."""
    if math.isnan(seconds) or not 0 <= seconds <= _LONGEST_SECONDS:
        raise UsageError(
            f"--lock-wait {seconds:g} is no time to wait",
            why=f"it must be at least 0 and at most {_LONGEST_SECONDS} seconds (a day)",
            hint="leave it out to be told at once who holds the lock",
        )
    return seconds


def parse_age(text: str) -> float:
    """Read an age such as `30d`, `12h` or `2w`; gives days, or raises a `UsageError`."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--older-than {text!r} is no age",
            why="an age is a number and a unit: h for hours, d for days, w for weeks",
            hint="write 30d, 12h or 2w; 0d for any age",
        )
    return int(found[1]) * _DAYS[found[2]]


def task_prefix(task: str | None) -> str:
    """Give the task's id, or its beginning, out of an id or an ARN; empty for None."""
    found = (task or "").rpartition("/")[2]
    if task is not None and not found.replace("-", "").isalnum():
        raise UsageError(
            f"--task {task!r} is no task id",
            why="an id is 32 letters and digits",
            hint="`schoolctl tasks` lists the tasks",
        )
    return found
