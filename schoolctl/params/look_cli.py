"""`params list`, `get`, `history`, `diff` and `export`: stored values, hidden by default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ssm import get_parameters, last_writers, parameter_history
from schoolctl.base.errors import ExitCode, NotFoundError, SchoolctlError, UsageError
from schoolctl.base.text import count, iso, local_time
from schoolctl.core.options import ExitWith10  # noqa: TC001  # Typer reads the annotations
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets
from schoolctl.params.freshness import Freshness, InUse, Stamp, Use
from schoolctl.params.observe import observe_stored, observe_use
from schoolctl.params.rules import (
    Stored,
    any_difference,
    compare_values,
    declared,
    declared_parameters,
    find_parameter,
)
from schoolctl.params.secret_shape import shape_secrets
from schoolctl.params.sources import from_file
from schoolctl.params.values import (
    Format,
    format_of,
    refuse_shared_output,
    render_values,
    write_private,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.model.values import Parameter, ParameterVersion, SecretValue
    from schoolctl.params.rules import Entry


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


Key = Annotated[str, typer.Argument(metavar="KEY", help="The parameter's key.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show the values.")]


def list_parameters(context: typer.Context, reveal: Reveal = False) -> None:
    """List the declared parameters: version, last change, reader, and whether it is in use.

    Values stay hidden. A value that changed after the running tasks started is not in use yet:
    `schoolctl restart` replaces the tasks.
    """
    run = Run.of(context)
    entries = declared_parameters(run.config)
    names = [entry.name for entry in entries]
    writing = run.clients.start(last_writers, run.clients, names)
    using = run.clients.start(observe_use, run.clients, run.config)
    found = get_parameters(run.clients, names, decrypt=reveal)
    run.check_account()
    writers = _writers(run, writing)
    use = _use(run, using)
    documents = [_document(each, found.get(each.name), writers, use) for each in entries]
    run.reporter.table(
        {"environment": run.config.environment, "parameters": documents},
        ("KEY", "VALUE", "VERSION", "CHANGED", "BY", "READ BY", "IN USE"),
        [_row(each, found.get(each.name), writers, use) for each in entries],
        right=("VERSION",),
    )
    for line in _advice(run, entries, found, use):
        run.reporter.note(line)


def _writers(run: Run, asked: Future[Mapping[str, str]]) -> Mapping[str, str]:
    try:
        return asked.result()
    except SchoolctlError as error:
        run.reporter.warn(f"who changed them was not read: {error.why}")
        return {}


def _use(run: Run, asked: Future[Use]) -> Use:
    try:
        use = asked.result()
    except SchoolctlError as error:
        use = Use((), None, unread=error.why)
    if use.unread:
        run.reporter.warn(f"whether they are in use was not read: {use.unread}")
    return use


def _row(
    entry: Entry, stored: Parameter | None, writers: Mapping[str, str], use: Use
) -> tuple[str, ...]:
    variable = entry.env or "-"
    if stored is None:
        return (entry.key, "missing", "-", "-", "-", variable, "-")
    return (
        entry.key,
        shown(stored.value),
        str(stored.version),
        local_time(stored.modified_at) if stored.modified_at else "-",
        _short(writers.get(entry.name, "")),
        variable,
        use.of(entry.name, stored.modified_at),
    )


def _advice(
    run: Run, entries: Sequence[Entry], found: Mapping[str, Parameter], use: Use
) -> list[str]:
    """Say which values the running tasks do not have, and which command brings them there."""
    stored = [found[each.name] for each in entries if each.name in found]
    stale = [each for each in stored if use.of(each.name, each.modified_at) is InUse.NOT_YET]
    stamps = tuple(Stamp(each.name, "parameter", each.modified_at) for each in stale)
    lines = Freshness(stamps, use.started_at).lines(run.clock.now())
    # One that only comes from RDS or is read by another program has no variable.
    unread = [
        entry.key
        for entry in entries
        if entry.env is not None
        and entry.name in found
        and use.of(entry.name, None) is InUse.NOT_READ
    ]
    if unread:
        names = ", ".join(unread)
        lines.append(f"no running revision reads {names}: `schoolctl deploy` hands it over")
    return lines


def get_parameter(context: typer.Context, key: Key, reveal: Reveal = False) -> None:
    """Show one parameter; its value only with --reveal.

    With --reveal, the value is all that is printed, for use in a script.
    """
    run = Run.of(context)
    entry = find_parameter(run.config, key)
    found = get_parameters(run.clients, [entry.name], decrypt=reveal).get(entry.name)
    if found is None:
        raise is_missing(run, entry)
    run.check_account()
    if found.value is not None:
        lines = [found.value.reveal()]
    else:
        changed = local_time(found.modified_at) if found.modified_at else "-"
        lines = [
            f"name     {found.name}",
            f"type     {found.type}",
            f"value    {shown(found.value)} (--reveal shows it)",
            f"version  {found.version}",
            f"changed  {changed}",
        ]
    run.reporter.result({"parameter": _document(entry, found, {}, None)}, lines)


def is_missing(run: Run, entry: Entry) -> NotFoundError:
    """Give the error for a parameter that does not exist."""
    return NotFoundError(
        f"parameter {entry.name} does not exist",
        why=f"SSM has none of that name in {run.clients.region}",
        hint=f"set it: `schoolctl params set {entry.key} -e {run.config.environment}`",
    )


def show_history(context: typer.Context, key: Key, reveal: Reveal = False) -> None:
    """List the versions of a parameter, newest first: when, by whom, with which labels.

    SSM keeps a hundred. Old values stay hidden without --reveal.
    """
    run = Run.of(context)
    entry = find_parameter(run.config, key)
    found = parameter_history(run.clients, entry.name, decrypt=reveal)
    if not found:
        raise is_missing(run, entry)
    run.check_account()
    run.reporter.table(
        {
            "environment": run.config.environment,
            "key": entry.key,
            "name": entry.name,
            "versions": [
                {
                    "version": each.version,
                    "type": each.type,
                    "changed_at": iso(each.modified_at),
                    "changed_by": each.writer or None,
                    "labels": list(each.labels),
                    "value": each.value.reveal() if each.value is not None else None,
                }
                for each in found
            ],
        },
        ("VERSION", "CHANGED", "BY", "LABELS", "VALUE"),
        [_version_row(each) for each in found],
        right=("VERSION",),
    )


def _version_row(each: ParameterVersion) -> tuple[str, ...]:
    return (
        str(each.version),
        local_time(each.modified_at) if each.modified_at else "-",
        _short(each.writer),
        ", ".join(each.labels) or "-",
        shown(each.value),
    )


def _short(arn: str) -> str:
    """Give the part of a writer's ARN that tells people who it was."""
    return arn.rpartition(":")[2] or "-"


def shown(value: SecretValue | None) -> str:
    """Give a value as it stands in one line, or `***`."""
    if value is None:
        return "***"
    text = value.reveal()
    return text if text.isprintable() else repr(text)


def _document(
    entry: Entry, found: Parameter | None, writers: Mapping[str, str], use: Use | None
) -> dict[str, object]:
    value = found.value if found is not None else None
    document: dict[str, object] = {
        "key": entry.key,
        "name": entry.name,
        "declared_type": entry.type,
        "variable": entry.env,
        "exists": found is not None,
        "type": found.type if found is not None else None,
        "version": found.version if found is not None else None,
        "changed_at": iso(found.modified_at) if found is not None else None,
        "changed_by": writers.get(entry.name) or None,
        "value": value.reveal() if value is not None else None,
    }
    if use is not None:
        in_use = use.of(entry.name, found.modified_at) if found is not None else None
        document["in_use"] = in_use.name.lower() if in_use is not None else None
        document["read_by"] = use.readers(entry.name)
    return document
