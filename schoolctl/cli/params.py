"""`params set`, `params list`, `params get`: the service's parameters in SSM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.options import ChangingCommand, Command
from schoolctl.cli.run import Run
from schoolctl.errors import AccessDeniedError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.model import Parameter, SecretValue
    from schoolctl.plan.params import Entry
    from schoolctl.plan.steps import Plan

app = typer.Typer(
    help="Parameters of the service in SSM.", rich_markup_mode=None, no_args_is_help=True
)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY[=VALUE]",
        help="What to set; KEY asks for the value. None: all that is missing.",
        show_default=False,
    ),
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show the values.")]


@app.command("set", cls=ChangingCommand)
def set_values(
    context: typer.Context,
    words: Words = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the value of the one KEY from a pipe.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from-file", metavar="FILE", help="Read values from a dotenv, JSON or YAML file."
        ),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Take a value that looks like a mistake.")
    ] = False,
) -> None:
    """Write parameters and secrets; bare, ask for what is missing.

    An equal value is not written again. A value may stand on the command line where schoolctl.yaml
    declares `hidden: false`; any other is asked for, or comes from a pipe or a file.
    """
    from schoolctl.plan.params import declared

    run = Run.of(context)
    entries = declared(run.config)
    if words or stdin or file is not None:
        given = _gather(run, entries, words or [], stdin=stdin, file=file, as_is=as_is)
        plan = _plan_given(run, given)
    else:
        given, plan = _plan_missing(run, entries, as_is=as_is)
    if run.carry_out(plan) is not None:
        report_set(run, given, plan)


def _gather(
    run: Run,
    entries: Sequence[Entry],
    words: Sequence[str],
    *,
    stdin: bool,
    file: Path | None,
    as_is: bool,
) -> dict[Entry, SecretValue]:
    """Collect the values from the one place that the options name, and check them."""
    from schoolctl.cli.given import from_file, from_questions, from_stdin, parse_words
    from schoolctl.values import refuse_bad_values

    given, wanted = parse_words(words, entries)
    if file is not None:
        if words or stdin:
            raise UsageError("--from-file goes with neither KEY nor --stdin")
        given = from_file(run, file, entries)
    elif stdin:
        if given or len(wanted) != 1:
            raise UsageError(
                "--stdin gives the value of exactly one KEY",
                hint="for several values at once, use --from-file",
            )
        given = {wanted[0]: from_stdin(run)}
    refuse_bad_values(given, as_is=as_is)
    if wanted and not stdin:
        given |= from_questions(run, wanted, as_is=as_is)
    return given


def _plan_given(run: Run, given: Mapping[Entry, SecretValue]) -> Plan:
    """Compare the given values with what is stored, and plan what to write."""
    from schoolctl.aws.stored import observe_stored
    from schoolctl.plan.params import plan_values
    from schoolctl.plan.secret_shape import shape_secrets

    stored, warnings = observe_stored(run.clients, given)
    for line in warnings:
        run.reporter.warn(line)
    return plan_values(shape_secrets(given, stored), stored, run.config.environment)


def _plan_missing(
    run: Run, entries: Sequence[Entry], *, as_is: bool
) -> tuple[dict[Entry, SecretValue], Plan]:
    """Ask for what does not exist yet, and plan to write it."""
    from schoolctl.aws.stored import observe_existing
    from schoolctl.cli.given import from_questions
    from schoolctl.plan.params import describe_entries, plan_values, refuse_unwritable
    from schoolctl.plan.steps import Plan

    stored = observe_existing(run.clients, entries)
    missing = [
        each for each in entries if not stored[each].exists or stored[each].deleted_at is not None
    ]
    for entry in missing:
        refuse_unwritable(entry, stored[entry])
    environment = run.config.environment
    if not missing:
        every = describe_entries(entries)
        verb = "has" if len(entries) == 1 else "have"
        nothing = f"nothing to do: {every} of environment {environment} {verb} a value"
        return {}, Plan(summary="", steps=(), nothing=nothing)
    # Before a password is typed, not after.
    run.check_account()
    given = from_questions(run, missing, as_is=as_is)
    return given, plan_values(given, stored, environment)


def report_set(run: Run, given: Mapping[Entry, SecretValue], plan: Plan) -> None:
    """Say which values were written and which were there already."""
    from schoolctl.plan.params import describe_entries
    from schoolctl.plan.steps import PutParameter, PutSecret

    written = {step.name for step in plan.steps if isinstance(step, PutParameter | PutSecret)}
    changed = [entry for entry in given if entry.name in written]
    equal = [entry for entry in given if entry.name not in written]
    environment = run.config.environment
    lines = [f"set {describe_entries(changed)} of environment {environment}"] if changed else []
    run.reporter.result(
        {
            "environment": environment,
            "written": [_identify(each) for each in changed],
            "unchanged": [_identify(each) for each in equal],
        },
        lines,
    )


def _identify(entry: Entry) -> dict[str, str]:
    return {"key": entry.key, "name": entry.name, "kind": str(entry.kind)}


@app.command("list", cls=Command)
def list_parameters(context: typer.Context, reveal: Reveal = False) -> None:
    """List the declared parameters; values stay hidden."""
    from schoolctl.aws.ssm import get_parameters, last_writers
    from schoolctl.plan.params import declared_parameters
    from schoolctl.text import local_time

    run = Run.of(context)
    entries = declared_parameters(run.config)
    names = [entry.name for entry in entries]
    asked = run.clients.start(last_writers, run.clients, names)
    found = get_parameters(run.clients, names, decrypt=reveal)
    run.check_account()
    try:
        writers = asked.result()
    except AccessDeniedError as denied:
        run.reporter.warn(f"who changed them was not read: {denied.why}")
        writers = {}
    documents = [_document(each, found.get(each.name), writers) for each in entries]
    rows = []
    for entry in entries:
        stored = found.get(entry.name)
        if stored is None:
            rows.append([entry.key, entry.name, entry.type, "missing", "-", "-", "-"])
            continue
        rows.append(
            [
                entry.key,
                entry.name,
                stored.type,
                _shown(stored),
                str(stored.version),
                local_time(stored.modified_at) if stored.modified_at else "-",
                writers.get(entry.name, "").rpartition(":")[2] or "-",
            ]
        )
    run.reporter.table(
        {"environment": run.config.environment, "parameters": documents},
        ("KEY", "NAME", "TYPE", "VALUE", "VERSION", "CHANGED", "BY"),
        rows,
        right=("VERSION",),
    )


@app.command("get", cls=Command)
def get_parameter(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The parameter's key.")],
    reveal: Reveal = False,
) -> None:
    """Show one parameter; its value only with --reveal.

    With --reveal, the value is all that is printed, for use in a script.
    """
    from schoolctl.aws.ssm import get_parameters
    from schoolctl.plan.params import declared_parameters, find_entry
    from schoolctl.text import local_time

    run = Run.of(context)
    entry = find_entry(declared_parameters(run.config), key)
    found = get_parameters(run.clients, [entry.name], decrypt=reveal).get(entry.name)
    if found is None:
        raise NotFoundError(
            f"parameter {entry.name} does not exist",
            why=f"SSM has none of that name in {run.clients.region}",
            hint=f"set it: `schoolctl params set {key} -e {run.config.environment}`",
        )
    run.check_account()
    if found.value is not None:
        lines = [found.value.reveal()]
    else:
        changed = local_time(found.modified_at) if found.modified_at else "-"
        lines = [
            f"name     {found.name}",
            f"type     {found.type}",
            f"value    {_shown(found)} (--reveal shows it)",
            f"version  {found.version}",
            f"changed  {changed}",
        ]
    run.reporter.result({"parameter": _document(entry, found, {})}, lines)


def _shown(parameter: Parameter) -> str:
    """Give a parameter's value as it stands in one line, or `***`."""
    if parameter.value is None:
        return "***"
    text = parameter.value.reveal()
    return text if text.isprintable() else repr(text)


def _document(
    entry: Entry, found: Parameter | None, writers: Mapping[str, str]
) -> dict[str, object]:
    from schoolctl.text import iso

    value = found.value if found is not None else None
    return {
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
