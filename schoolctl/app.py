"""The root command: which commands there are, the shared options, and the error boundary.

Start-up is a feature: this module imports neither boto3 nor docker, yaml, pydantic or rich. A
command's module is loaded when the command is called; the table below holds what `--help` shows.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import re
import sys
import traceback
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as to_click

from schoolctl import __version__
from schoolctl.base import interruption
from schoolctl.base.errors import ExitCode, SchoolctlError, UsageError, interrupted
from schoolctl.core.options import (
    GLOBAL_NAMES,
    GlobalOptions,
    Group,
    global_options,
    params_of,
    write_options,
)
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.iam.permissions import Permissions

_PLAIN = (
    (re.compile(r"Input should be a valid integer, .* as an integer"), "it is no whole number"),
    (re.compile(r"Input should be a valid number, .* as a number"), "it is no number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be \1 or more"),
    (re.compile(r"Value error, "), ""),
)
"""What pydantic says of a value that cannot be read, and what it means."""
SHIP, LOOK, SEED, SETUP = "Ship", "Look", "Seed", "Set up"


@dataclass(frozen=True)
class Entry:
    """A command as `--help` lists it.

    Attributes:
        name: of the command.
        module: below `schoolctl`; its Typer app is `app`, or the one after a colon.
        section: of the help page.
        help: one line.
        more: further modules with commands of the same group.
    """

    name: str
    module: str
    section: str
    help: str
    more: tuple[str, ...] = ()


COMMANDS = (
    Entry(
        "build", "images.push.cli", SHIP, "Build the image for the platform that the tasks run on."
    ),
    Entry(
        "push",
        "images.push.cli",
        SHIP,
        "Build the image and push it to ECR, logged in, digest verified.",
    ),
    Entry(
        "deploy",
        "ecs_service.rollout.cli",
        SHIP,
        "Bring the service to an image, and tell what became of it.",
    ),
    Entry(
        "rollback", "ecs_service.rollout.cli", SHIP, "Go back to the last revision that completed."
    ),
    Entry(
        "scale",
        "ecs_service.scale.cli",
        SHIP,
        "Set how many tasks the service runs, and wait until they do.",
    ),
    Entry(
        "restart",
        "ecs_service.scale.cli",
        SHIP,
        "Replace the service's tasks by new ones of the same revision.",
    ),
    Entry(
        "wait",
        "ecs_service.rollout.cli",
        SHIP,
        "Follow the rollout that is in progress, and give its verdict.",
    ),
    Entry(
        "run",
        "ecs_service.run.cli",
        SHIP,
        "Run a command as a one-off task, with its log and exit code.",
    ),
    Entry(
        "diff", "ecs_service.define.cli:diff_app", LOOK, "Show everything that deploy would change."
    ),
    Entry(
        "exec",
        "ecs_service.run.cli",
        SHIP,
        "Open a shell in a running task, or run a command there.",
    ),
    Entry(
        "status",
        "ecs_service.status.cli",
        LOOK,
        "Show what runs, since when, from which image, how healthy.",
    ),
    Entry(
        "why",
        "ecs_service.status.cli",
        LOOK,
        "Explain why the newest deployment fails: cause, fix, log lines.",
    ),
    Entry(
        "tasks",
        "ecs_service.status.cli",
        LOOK,
        "List the service's tasks, and why those that stopped did.",
    ),
    Entry(
        "events",
        "ecs_service.status.cli",
        LOOK,
        "Show what ECS says of the service, and what it means.",
    ),
    Entry(
        "history",
        "ecs_service.status.cli",
        LOOK,
        "List the service's deployments, and what became of each.",
    ),
    Entry(
        "logs", "ecs_service.status.logs_cli", LOOK, "Show the log lines of the service's tasks."
    ),
    Entry("images", "images.stored.cli", LOOK, "List images and delete those that nothing needs."),
    Entry("taskdef", "ecs_service.define.cli", LOOK, "Show and register task definitions."),
    Entry(
        "lock",
        "ecs_service.lock_cli",
        LOOK,
        "Who deploys just now, and a lock that was left behind.",
    ),
    Entry("pull", "images.push.cli", LOOK, "Pull an image from ECR, logged in."),
    Entry("params", "params.cli", SEED, "Parameters of the service in SSM."),
    Entry(
        "secrets",
        "params.secrets_cli",
        SEED,
        "Secrets of the service in Secrets Manager.",
        ("rotation.cli",),
    ),
    Entry("init", "init.cli", SETUP, "Write a commented schoolctl.yaml."),
    Entry("config", "init.settings_cli", SETUP, "Show and check the configuration."),
    Entry(
        "doctor",
        "doctor.cli",
        SETUP,
        "Check what builds, deployments and tasks need, each finding with its cure.",
    ),
    Entry(
        "profile",
        "init.settings_cli:profile_app",
        SETUP,
        "AWS profiles, and whose credentials are used.",
    ),
    Entry("login", "images.push.cli", SETUP, "Log Docker in to ECR, for pushes by hand."),
    Entry("repo", "images.stored.cli:repo_app", SETUP, "Create and show the ECR repository."),
    Entry(
        "network", "network.cli", SETUP, "The security groups from the internet to the database."
    ),
    Entry(
        "infra", "infra.cli", SETUP, "The CloudFormation stack of an environment's infrastructure."
    ),
    Entry("iam", "iam.cli", SETUP, "IAM policies for commands, roles and a pipeline."),
    Entry("sandbox", "sandbox.cli", SETUP, "A local AWS to try everything on."),
)

HANDLERS = {
    "schoolctl.core.lock_rules": "schoolctl.core.lock",
    "schoolctl.ecs_service.steps.scaling": "schoolctl.ecs_service.scale.apply",
    "schoolctl.ecs_service.steps.service": "schoolctl.ecs_service.rollout.apply",
    "schoolctl.ecs_service.steps.tasks": "schoolctl.ecs_service.run.apply",
    "schoolctl.images.push.steps": "schoolctl.images.push.apply",
    "schoolctl.images.stored.steps": "schoolctl.images.stored.apply",
    "schoolctl.infra.steps": "schoolctl.infra.apply",
    "schoolctl.network.steps": "schoolctl.network.apply",
    "schoolctl.params.steps": "schoolctl.params.apply",
    "schoolctl.rotation.steps": "schoolctl.rotation.apply",
}
"""Where the steps of a module are carried out."""


class LazyGroup(TyperGroup):
    """The root group: lists from the table, loads a command's module when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names in the order of the table."""
        del ctx
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a stand-in that knows its name and help, for lists and completion."""
        del ctx
        entry = _entry(cmd_name)
        return TyperCommand(entry.name, help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Give the real command for a call."""
        self.commands = {entry.name: self.get_command(ctx, entry.name) for entry in COMMANDS}
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, load_command(str(stand_in.name)) if stand_in else None, rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in sections, in the order of the table."""
        del ctx
        width = max(len(entry.name) for entry in COMMANDS)
        for section in (SHIP, LOOK, SEED, SETUP):
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (entry.name.ljust(width), entry.help)
                        for entry in COMMANDS
                        if entry.section == section
                    ]
                )

    def invoke(self, ctx: Any) -> Any:
        """Call the command; an interruption becomes an error that says so."""
        shared = {name: ctx.params.pop(name) for name in GLOBAL_NAMES if name in ctx.params}
        ctx.obj.options = GlobalOptions(**shared)
        try:
            answer = super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise interrupted(stop) from None
        late = interruption.kept()
        if late is not None:
            raise interrupted(late, why="it came when everything was done")
        return answer

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the command line `args` and leave with its exit code.

        `obj` may hold the `Services` that tests hand in.
        """
        given = extra.pop("args", None) if "args" in extra else (args[0] if args else None)
        argv = list(sys.argv[1:] if given is None else given)
        services = extra.pop("obj", None)
        extra.pop("standalone_mode", None)
        # A guess until the options are parsed, for errors in them; what follows `--` is not ours.
        ours = argv[: argv.index("--")] if "--" in argv else argv
        run = Run(
            services,
            json_output="--json" in ours,
            handlers=HANDLERS,
            permissions_of=_permissions_of,
        )
        run.words = ours
        code: int = ExitCode.DONE
        with interruption.listening(lambda text: run.reporter.note(text)):  # noqa: PLW0108  # the options bring another reporter
            try:
                with _help_as_document(run):
                    answer = super().main(args=argv, standalone_mode=False, obj=run, **extra)
                code = answer if isinstance(answer, int) else ExitCode.DONE
            except Exception as error:  # noqa: BLE001  # the boundary: every error ends here
                with interruption.undisturbed():
                    code = _report(run, error)
            with interruption.undisturbed():
                code = _finish(run, code)
        run.close()
        sys.exit(int(code))


def _permissions_of(command: str) -> Permissions:
    from schoolctl.iam.permissions import permissions_of

    try:
        return permissions_of(command)
    except KeyError:
        return ()


def _entry(name: str) -> Entry | None:
    return next((entry for entry in COMMANDS if entry.name == name), None)


def _app_of(place: str) -> typer.Typer:
    module, _, attribute = place.partition(":")
    found: typer.Typer = getattr(importlib.import_module(f"schoolctl.{module}"), attribute or "app")
    return found


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import the module of command `name` and give the click command.

    A module holds one group (`params`), or several commands of the root (`build`, `push`).
    """
    entry = _entry(name)
    if entry is None:
        raise KeyError(name)
    app = _app_of(entry.module)
    app.info.cls = Group  # before or after the group's name, the shared options mean the same
    for each in entry.more:
        there = app.registered_commands
        there += [one for one in _app_of(each).registered_commands if one not in there]
    group = typer.main.get_group(app)
    command = group.commands.get(name, group)
    command.name = name
    return command  # type: ignore[return-value]  # Typer's group holds Typer's commands


def _report(run: Run, error: Exception) -> ExitCode:
    match error:
        case SchoolctlError():
            cause = run.first_cause(error)
        case _ if _wants_help(error) and not run.reporter.json_output:
            run.reporter.note(error.format_message())  # type: ignore[attr-defined]  # see above
            return ExitCode.USAGE
        case _ if hasattr(error, "format_message"):
            # Typer's own usage errors, which it has no public base class for.
            cause = _usage_error(error)
        case BrokenPipeError():
            return ExitCode.FAILED  # `_finish` meets it again
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EIO):
            cause = _unwritten(error)
        case _:
            cause = SchoolctlError(
                f"this is a bug in schoolctl: {type(error).__name__}",
                why="the traceback is above",
                hint="please report it with the command that you ran",
            )
            traceback.print_exception(error)
    run.denied.tell(run.reporter, cause)
    run.denied.add_policies(cause)
    cause.why, cause.hint = map(run.for_environment, (cause.why, cause.hint))
    cause.details = tuple(map(run.for_environment, cause.details))
    run.reporter.error(cause)
    return cause.exit_code


def _finish(run: Run, code: int) -> int:
    """Print the document and empty the streams; gives the exit code."""
    try:
        if not run.reporter.failed:
            run.denied.tell(run.reporter)
        run.reporter.finish(code)
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # Whoever read our output has gone (`| head`): nobody is left to tell.
    except OSError as error:
        run.reporter.error(_unwritten(error))
    else:
        return code
    # Python must not try once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.FAILED


def _unwritten(error: OSError) -> SchoolctlError:
    return SchoolctlError(
        "could not write the output", why=str(error.strerror), hint="free some space there"
    )


def _usage_error(error: Any) -> SchoolctlError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "schoolctl"
    hint = f"`{path} --help` lists what there is"
    told = "Missing command." if _wants_help(error) else error.format_message()
    for theirs, ours in _PLAIN:
        told = theirs.sub(ours, told)
    return UsageError(told, hint=hint)


def _wants_help(error: Exception) -> bool:
    # Typer has no public name for it; its message is the help page.
    return type(error).__name__ == "NoArgsIsHelpError"


@contextmanager
def _help_as_document(run: Run) -> Iterator[None]:
    """With `--json`, keep help pages and the version off stdout, and put them in the document."""
    if not run.reporter.json_output:
        yield
        return
    text = StringIO()
    with redirect_stdout(text):
        yield
    if text.getvalue():
        run.reporter.result({"text": text.getvalue()})


def _version(wanted: bool) -> None:  # Typer's callback form
    if wanted:
        typer.echo(f"schoolctl {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="schoolctl",
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None:
    """Build, push, seed and deploy one containerised web service on AWS.

    The first deployment: `schoolctl init`, `push --tag 1.0`, `params set`, `deploy --tag 1.0`.
    """
    del context, version


def click_app() -> TyperGroup:
    """Give the root command with the shared options on it."""
    group = to_click(app)
    group.params[:0] = params_of(global_options)
    return group  # type: ignore[return-value]  # the app has a group class


def main() -> None:
    """Run the installed command."""
    # A run is short, and what start-up makes stays: looking through it for garbage again and
    # again took a fifth of the time. `SystemClock.sleep` starts the collector in runs that last.
    gc.disable()
    # pydantic looks through every installed distribution for plugins of its own; there are none
    # that this command would want.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code: object = ExitCode.DONE
    try:
        click_app()(prog_name="schoolctl")
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: taking half a million objects apart one by one takes a tenth of a short run.
    os._exit(code if isinstance(code, int) else ExitCode.FAILED)
