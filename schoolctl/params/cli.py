"""`params set`, `params import`, `params delete`, and the group itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.rds import find_database
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import UsageError
from schoolctl.base.plan import Plan
from schoolctl.core.options import ChangingCommand, Command
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets
from schoolctl.params.look_cli import (
    diff_values,
    export_parameters,
    get_parameter,
    list_parameters,
    show_history,
)
from schoolctl.params.observe import (
    observe_existing,
    observe_stored,
    observe_use,
    values_from_stack,
)
from schoolctl.params.rules import (
    declared,
    describe_entries,
    find_parameter,
    plan_delete,
    plan_values,
    refuse_unwritable,
)
from schoolctl.params.secret_shape import shape_secrets
from schoolctl.params.sources import (
    from_file,
    from_questions,
    from_stdin,
    parse_database_name,
    parse_words,
    rds_warnings,
    values_of,
    wanted_of_rds,
)
from schoolctl.params.steps import PutParameter, PutSecret
from schoolctl.params.values import refuse_bad_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.model.stacks import StackState
    from schoolctl.model.values import SecretValue
    from schoolctl.params.rules import Entry


def delete_parameter(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The parameter's key.")],
    force: Annotated[
        bool, typer.Option("--force", help="Delete it although the service may read it.")
    ] = False,
) -> None:
    """Delete a parameter with all its versions; asks first.

    Refused while a revision that the service runs reads it: its next task could not start.
    """
    run = Run.of(context)
    entry = find_parameter(run.config, key)
    using = run.clients.start(observe_use, run.clients, run.config)
    found = get_parameters(run.clients, [entry.name], decrypt=False).get(entry.name)
    run.check_account()
    plan = plan_delete(
        entry,
        found,
        using.result() if found is not None else None,
        force=force,
        environment=run.config.environment,
    )
    if run.carry_out(plan) is not None:
        _report(run, entry.key, plan)


def _report(run: Run, key: str, plan: Plan) -> None:
    environment = run.config.environment
    run.reporter.result(
        {"environment": environment, "key": key, "deleted": bool(plan.steps)},
        [f"deleted {key} of environment {environment}"] if plan.steps else [],
    )


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
AsIs = Annotated[bool, typer.Option("--as-is", help="Take a value that looks like a mistake.")]


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
    database: Annotated[
        str | None,
        typer.Option(
            "--from-rds",
            metavar="INSTANCE",
            help="Take what has a `from:` (of each KEY, or all) from an RDS instance or cluster.",
        ),
    ] = None,
    as_is: AsIs = False,
) -> None:
    """Write parameters and secrets; bare, ask for what is missing.

    An equal value is not written again. A value may stand on the command line where schoolctl.yaml
    declares `hidden: false`; any other is asked for, or comes from a pipe, a file or RDS.
    """
    run = Run.of(context)
    stack = settle_secrets(run)
    entries = declared(run.config)
    if database is not None:
        if stdin or file is not None:
            raise UsageError(
                "--from-rds goes with neither --stdin nor --from-file",
                hint="run it once for each",
            )
        _set_from_rds(run, entries, database, words or [], as_is=as_is)
        return
    if words or stdin or file is not None:
        given = _gather(run, entries, words or [], stdin=stdin, file=file, as_is=as_is)
        plan = _plan_given(run, given)
    else:
        given, plan = _plan_missing(run, entries, stack, as_is=as_is)
    if run.carry_out(plan) is not None:
        report_set(run, given, plan)


@app.command("import", cls=ChangingCommand)
def import_values(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A dotenv, JSON or YAML file.")],
    as_is: AsIs = False,
) -> None:
    """Write the values of a file, as `params set --from-file` does.

    What `params export` wrote comes back as it was: then there is nothing to do.
    """
    run = Run.of(context)
    settle_secrets(run)
    given = _gather(run, declared(run.config), [], stdin=False, file=file, as_is=as_is)
    plan = _plan_given(run, given)
    if run.carry_out(plan) is not None:
        report_set(run, given, plan)


app.command("list", cls=Command)(list_parameters)
app.command("get", cls=Command)(get_parameter)
app.command("diff", cls=Command)(diff_values)
app.command("history", cls=Command)(show_history)
app.command("export", cls=Command)(export_parameters)
app.command("delete", cls=ChangingCommand)(delete_parameter)


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
    given, wanted = parse_words(words, entries)
    if file is not None:
        if words or stdin:
            raise UsageError(
                "--from-file goes with neither KEY nor --stdin",
                hint="write all values into the file, or run it once for each",
            )
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


def _set_from_rds(
    run: Run, entries: Sequence[Entry], database: str, words: Sequence[str], *, as_is: bool
) -> None:
    name = parse_database_name(database)
    given, chosen = parse_words(words, entries)
    if given:
        raise UsageError(
            "--from-rds gives the values by itself",
            hint="name the KEYs alone, or none for all that have a `from:`",
        )
    wanted = wanted_of_rds(entries, chosen)
    found = values_of(find_database(run.clients, name), wanted)
    values = dict(found.values)
    refuse_bad_values(values, as_is=as_is)
    plan = _plan_given(run, values)
    plan = replace(plan, warnings=(*plan.warnings, *rds_warnings(found, run.config)))
    if not values:
        plan = replace(plan, nothing="nothing to write: RDS keeps that secret itself")
    if run.carry_out(plan) is not None:
        environment = run.config.environment
        configure = {
            f"environments.{environment}.secrets.{entry.key}.arn": arn
            for entry, arn in found.unnamed().items()
        }
        run.reporter.result({"database": found.database.name, "configure": configure})
        report_set(run, values, plan)


def _plan_given(run: Run, given: Mapping[Entry, SecretValue]) -> Plan:
    """Compare the given values with what is stored, and plan what to write."""
    stored, warnings = observe_stored(run.clients, given)
    for line in warnings:
        run.reporter.warn(line)
    return plan_values(shape_secrets(given, stored), stored, run.config.environment)


def _plan_missing(
    run: Run, entries: Sequence[Entry], stack: StackState | None, *, as_is: bool
) -> tuple[dict[Entry, SecretValue], Plan]:
    """Ask for what does not exist yet, and plan to write it, and what the stack tells."""
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
    known = values_from_stack(run, stack, missing)
    asked = [each for each in missing if each not in known]
    given = {**known, **from_questions(run, asked, as_is=as_is)}
    return given, plan_values(given, stored, environment)


def report_set(run: Run, given: Mapping[Entry, SecretValue], plan: Plan) -> None:
    """Say which values were written and which were there already."""
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
