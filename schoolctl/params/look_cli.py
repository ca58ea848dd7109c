"""`params diff`: a file or another environment against this one, without showing a value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.errors import ExitCode, UsageError
from schoolctl.core.options import ExitWith10  # noqa: TC001  # Typer reads the annotations
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.params.rules import Entry, Stored

_UNREAD = "not compared"


def diff_values(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from-file", metavar="FILE", help="Compare with a dotenv, JSON or YAML file."
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option("--with", metavar="ENV", help="Compare with another environment."),
    ] = None,
    exit_code: ExitWith10 = False,
) -> int:
    """Compare parameters and secrets with a file or another environment; no value is shown.

    What could not be compared counts as a difference.
    """
    from schoolctl.params.value_diff import any_difference, compare_values

    run = Run.of(context)
    settle_secrets(run)
    if (file is None) == (other is None):
        raise UsageError(
            "params diff compares with one thing: --from-file FILE or --with ENV",
            hint="such as `schoolctl params diff --with prod`",
        )
    here_name = run.config.environment
    if file is not None:
        there_name = str(file)
        here, there = _with_file(run, file)
    else:
        there_name = str(other)
        here, there = _with_environment(run, there_name)
    found = compare_values(here, there)
    differences = any_difference(found)
    run.reporter.table(
        {
            "environment": here_name,
            "compared_with": there_name,
            "differences": differences,
            "entries": [each.document() for each in found],
        },
        ("KEY", "KIND", "COMPARED"),
        [(each.key, each.kind, each.text(here_name, there_name)) for each in found],
    )
    return ExitCode.DIFFERENCES if exit_code and differences else ExitCode.DONE


def _with_file(run: Run, file: Path) -> tuple[Mapping[Entry, Stored], Mapping[Entry, Stored]]:
    """Read this environment and a file, a secret of the file in the shape that it would get."""
    from schoolctl.params.observe import observe_stored
    from schoolctl.params.rules import Stored, declared
    from schoolctl.params.secret_shape import shape_secrets
    from schoolctl.params.sources import from_file

    entries = declared(run.config)
    given = from_file(run, file, entries)
    here, warnings = observe_stored(run.clients, entries, unread=_UNREAD)
    run.check_account()
    for line in warnings:
        run.reporter.warn(line)
    shaped = shape_secrets(given, here)
    return here, {entry: Stored(exists=True, value=value) for entry, value in shaped.items()}


def _with_environment(
    run: Run, other: str
) -> tuple[Mapping[Entry, Stored], Mapping[Entry, Stored]]:
    """Read both environments, side by side."""
    from schoolctl.params.observe import observe_stored
    from schoolctl.params.rules import declared

    if other == run.config.environment:
        raise UsageError(
            f"--with {other} is the environment itself",
            hint="name another one: `schoolctl config show` lists them",
        )
    config, clients = run.clients_of(other)
    asked = clients.start(observe_stored, clients, declared(config), unread=_UNREAD)
    here, warnings = observe_stored(run.clients, declared(run.config), unread=_UNREAD)
    run.check_account()
    there, more = asked.result()
    for line in (*warnings, *(f"{other}: {each}" for each in more)):
        run.reporter.warn(line)
    return here, there
