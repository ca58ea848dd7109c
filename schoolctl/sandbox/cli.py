"""The commands of the local AWS: up, status, logs and down."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.errors import ExitCode
from schoolctl.core.options import Command
from schoolctl.core.run import Run
from schoolctl.docker.connect import connect_docker
from schoolctl.sandbox.apply import down as take_down
from schoolctl.sandbox.apply import follow_logs, observe_status, read_logs
from schoolctl.sandbox.apply import up as bring_up
from schoolctl.sandbox.resources import Layout, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schoolctl.config.models import Config
    from schoolctl.sandbox.apply import LogLine, Status, UpResult

DEFAULT_ENVIRONMENT = "sandbox"
_LOG_LINES = 50

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="A local AWS to try everything on."
)


@app.command("up", cls=Command)
def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1024,
            max=65535,
            metavar="PORT",
            help="Port of the local AWS; the first time 4566, later that of the last time.",
        ),
    ] = None,
) -> None:
    """Bring up a local AWS: emulator, database, and what an account would have.

    Without --env, for the environment `sandbox`. What is there already is left as it is.
    """
    run = _run(context)
    result = bring_up(
        _sandbox(run),
        run.config,
        region=run.options.region or run.config.region or "us-east-1",
        port=port,
    )
    run.reporter.result(_up_document(result), _up_lines(run.config, result))


@app.command("status", cls=Command)
def status(context: typer.Context) -> int:
    """Show what of the local AWS runs, and its tasks; exit code 1 when it is not up."""
    run = _run(context)
    found = observe_status(_sandbox(run), run.config)
    run.reporter.result(_status_document(found), _status_lines(run.config, found))
    return ExitCode.DONE if found.is_up else ExitCode.FAILED


@app.command("logs", cls=Command)
def logs(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with the lines that are written.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="Lines of each to begin with.")
    ] = _LOG_LINES,
) -> None:
    """Show what the emulator and the database wrote; the service's lines are in `logs`."""
    run = _run(context)
    sandbox = _sandbox(run)
    if not sandbox.layout.folder.exists():
        run.reporter.note(f"there is no sandbox: {_up_command(run.config)}")
    written = read_logs(sandbox, lines)
    if not follow:
        run.reporter.result({"lines": [asdict(line) for line in written]}, map(_log_text, written))
        return
    _show_lines(run, written)
    _show_lines(run, follow_logs(sandbox))


@app.command("down", cls=Command)
def down(
    context: typer.Context,
    images: Annotated[
        bool,
        typer.Option(
            "--images", help="Also the base images that were made, and the images pushed to it."
        ),
    ] = False,
) -> None:
    """Remove the local AWS with its tasks, its data and its files.

    It does not ask: everything in it was made by `sandbox up` and what followed.
    """
    run = _run(context)
    removed = take_down(_sandbox(run), with_images=images)
    text = "the sandbox is gone" if removed else "there was no sandbox: nothing to do"
    run.reporter.result(
        {"removed": list(removed)}, [*(f"removed {each}" for each in removed), text]
    )


def _run(context: typer.Context) -> Run:
    """Return the run, with the environment `sandbox` where none was named."""
    run = Run.of(context)
    run.options = replace(run.options, env=run.options.env or DEFAULT_ENVIRONMENT)
    return run


def _sandbox(run: Run) -> Sandbox:
    layout = Layout(run.config_file.directory, run.config.environment)
    docker, host = connect_docker(run.services.environ)
    return Sandbox(layout, docker, host, run.clock, run.reporter.note)


def _up_document(result: UpResult) -> dict[str, object]:
    return {
        "port": result.port,
        "url": result.url,
        "database": result.database_address,
        "base_image": result.base_image,
        "dotenv": str(result.dotenv_file),
        "new_account": result.new_account,
        "changes": list(result.changes),
    }


def _up_lines(config: Config, result: UpResult) -> list[str]:
    dotenv = f".schoolctl/{result.dotenv_file.name}"
    began = "is up" if result.changes else "was up already"
    lines = [f"the sandbox {began}, on port {result.port}"]
    if result.url is not None:
        lines.append(f"  service:  {result.url}")
    lines.append(f"  database: {result.database_address}, user and password in {dotenv}")
    if not result.new_account:
        return lines
    prefix = f"  schoolctl -e {config.environment}"
    return [
        *lines,
        "next, as in any other environment:",
        *([f"{prefix} infra up"] if config.infra.stack else []),
        f"{prefix} push --tag 1.0 --create-repo",
        f"{prefix} params set --from-file {dotenv}",
        f"{prefix} deploy --tag 1.0",
    ]


def _status_document(found: Status) -> dict[str, object]:
    return {
        "up": found.is_up,
        "url": found.url,
        "parts": [asdict(each) for each in found.parts],
        "tasks": [asdict(each) for each in found.tasks],
    }


def _status_lines(config: Config, found: Status) -> list[str]:
    lines = [
        f"{part.name}: {part.state}" + (f", {part.address}" if part.address else "")
        for part in found.parts
    ]
    if found.url is not None:
        lines.append(f"service: {found.url}")
    lines += [f"task {each.task_id}: {each.revision}, {each.state}" for each in found.tasks]
    if not found.is_up:
        lines.append(_up_command(config))
    return lines


def _up_command(config: Config) -> str:
    option = "" if config.environment == DEFAULT_ENVIRONMENT else f" -e {config.environment}"
    return f"bring it up with `schoolctl sandbox up{option}`"


def _show_lines(run: Run, lines: Iterable[LogLine]) -> None:
    for line in lines:
        run.reporter.record(asdict(line), _log_text(line))


def _log_text(line: LogLine) -> str:
    return f"{line.source}  {line.text}"
