"""`params list`, `params get`, `params history`: what is stored, and who has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.errors import NotFoundError, SchoolctlError
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.model.secret_value import SecretValue
    from schoolctl.model.values import Parameter, ParameterVersion
    from schoolctl.params.rules import Entry
    from schoolctl.params.use import Use

Key = Annotated[str, typer.Argument(metavar="KEY", help="The parameter's key.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show the values.")]


def list_parameters(context: typer.Context, reveal: Reveal = False) -> None:
    """List the declared parameters: version, last change, reader, and whether it is in use.

    Values stay hidden. A value that changed after the running tasks started is not in use yet:
    `schoolctl restart` replaces the tasks.
    """
    from schoolctl.aws.ssm import get_parameters, last_writers
    from schoolctl.params.observe_use import observe_use
    from schoolctl.params.rules import declared_parameters

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
    from schoolctl.params.use import Use

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
    from schoolctl.base.text import local_time

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
    from schoolctl.params.freshness import Freshness, Stamp
    from schoolctl.params.use import InUse

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
    from schoolctl.aws.ssm import get_parameters
    from schoolctl.base.text import local_time
    from schoolctl.params.rules import find_parameter

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
    from schoolctl.aws.ssm import parameter_history
    from schoolctl.base.text import iso
    from schoolctl.params.rules import find_parameter

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
    from schoolctl.base.text import local_time

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
    from schoolctl.base.text import iso

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
