"""`params export`: the values as a dotenv, JSON or YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schoolctl.base.errors import NotFoundError, UsageError
from schoolctl.base.text import count
from schoolctl.core.run import Run
from schoolctl.params.value_files import Format  # noqa: TC001  # Typer reads the annotations


def export_parameters(
    context: typer.Context,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How they are written; else by FILE's ending, or dotenv."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a file that only you can read."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE if it is there.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the values: there is no export without.")
    ] = False,
) -> None:
    """Write the parameters' values down, as `params import` reads them.

    Secrets are not among them.
    """
    from schoolctl.aws.ssm import get_parameters
    from schoolctl.params.rules import declared_parameters
    from schoolctl.params.value_files import (
        format_of,
        refuse_shared_output,
        render_values,
        write_private,
    )

    run = Run.of(context)
    chosen = format_of(file, form)
    if not reveal:
        raise UsageError(
            "an export shows the values, and wants --reveal",
            why="a file of `***` could be imported by mistake",
            hint="add --reveal; `schoolctl params list` shows what there is without the values",
        )
    if overwrite and file is None:
        raise UsageError("--overwrite is for --output FILE", hint="leave it out, or name the file")
    if file is None:
        refuse_shared_output(run.reporter.stdout)
    entries = declared_parameters(run.config)
    found = get_parameters(run.clients, [entry.name for entry in entries], decrypt=True)
    run.check_account()
    values = {
        entry.key: value
        for entry in entries
        if entry.name in found and (value := found[entry.name].value) is not None
    }
    missing = [entry.key for entry in entries if entry.key not in values]
    if not values:
        raise NotFoundError(
            f"environment {run.config.environment} has no parameter to export",
            why="none of those that schoolctl.yaml declares exists",
            hint="`schoolctl params set` asks for them",
        )
    if missing:
        run.reporter.warn(f"left out, as there is none: {', '.join(missing)}")
    document: dict[str, object] = {"environment": run.config.environment}
    if file is None:
        text = render_values(values, chosen)
        shown = {key: value.reveal() for key, value in values.items()}
        run.reporter.result({**document, "values": shown}, [text.removesuffix("\n")])
        return
    write_private(file, render_values(values, chosen), overwrite=overwrite)
    run.reporter.result(
        {**document, "file": str(file), "keys": list(values)},
        [f"wrote {count(len(values), 'value')} to {file}"],
    )
