"""`secrets set` and `secrets list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecs.services import describe_revision, list_tasks
from schoolctl.base.errors import AccessDeniedError, NotFoundError, UsageError
from schoolctl.base.text import iso, local_time
from schoolctl.core.options import ChangingCommand, Command
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets
from schoolctl.model.values import CURRENT
from schoolctl.params.cli import report_set
from schoolctl.params.freshness import Freshness, oldest_start
from schoolctl.params.observe import SettingsObservation, observe_stored
from schoolctl.params.rules import (
    declared_secrets,
    find_entry,
    is_managed,
    plan_values,
    refuse_unwritable,
    staged_version,
)
from schoolctl.params.secret_shape import shape_secret
from schoolctl.params.sources import from_questions, from_stdin
from schoolctl.params.values import refuse_bad_values

if TYPE_CHECKING:
    from schoolctl.model.services import Task
    from schoolctl.model.values import SecretInfo
    from schoolctl.params.rules import Entry


app = typer.Typer(
    help="Secrets of the service in Secrets Manager.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("set", cls=ChangingCommand)
def set_secret(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The secret's key.")],
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the value from a pipe.")] = False,
    username: Annotated[
        str | None,
        typer.Option(
            "--username", metavar="NAME", help='Store {"username", "password"}, as RDS does.'
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Store plain text even where JSON was stored.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Bring the secret back if it is being deleted.")
    ] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Take a value that looks like a mistake.")
    ] = False,
) -> None:
    """Write a secret: ask for its value, or read it from a pipe.

    A secret that holds JSON as RDS writes it gets a new password and keeps its other fields.
    """
    run = Run.of(context)
    if "=" in key:
        raise UsageError(
            "a secret's value must not stand on the command line",
            why="every user of this machine can read it there, and the shell's history keeps it",
            hint="leave out `=VALUE` to be asked for it, or pipe it in with --stdin",
        )
    if username is not None and plain:
        raise UsageError("--username makes the secret JSON, --plain makes it plain text")
    settle_secrets(run)
    entry = find_entry(declared_secrets(run.config), key)
    value = from_stdin(run) if stdin else None
    if value is not None:
        refuse_bad_values({entry: value}, as_is=as_is)
    stored, warnings = observe_stored(run.clients, [entry])
    # Before a password is typed, not after.
    refuse_unwritable(entry, stored[entry], restore=restore)
    run.check_account()
    if value is None:
        value = from_questions(run, [entry], as_is=as_is)[entry]
    for line in warnings:
        run.reporter.warn(line)
    shaped = shape_secret(value, stored[entry].value, username=username, plain=plain)
    refuse_bad_values({entry: shaped}, as_is=as_is)
    plan = plan_values({entry: shaped}, stored, run.config.environment, restore=restore)
    if run.carry_out(plan) is not None:
        report_set(run, {entry: shaped}, plan)


@app.command("list", cls=Command)
def list_secrets(context: typer.Context) -> None:
    """List the declared secrets, how they are rotated, and whether tasks have them as they are.

    No value is read.
    """
    run = Run.of(context)
    settle_secrets(run)
    report_secrets(run)


_IN_USE = {True: "yes", False: "not yet", None: "-"}


def report_secrets(run: Run) -> None:
    """List the declared secrets; no value is read."""
    entries = declared_secrets(run.config)
    where = run.config.service
    tasks = run.clients.start(list_tasks, run.clients, where.cluster, service=where.name)
    observed = SettingsObservation(run.clients, run.config, only_secrets=True)
    found = observed.secrets()
    run.check_account()
    try:
        fresh = _freshness(run, observed, tasks.result())
    except (AccessDeniedError, NotFoundError) as error:
        # Whether tasks have it is an extra; without a service, none has.
        run.reporter.detail(f"{error.what}: {error.why}")
        fresh = Freshness((), None)
    rows = [_row(run, entry, found[entry.name], fresh) for entry in entries]
    run.reporter.table(
        {
            "environment": run.config.environment,
            "secrets": [_document(run, entry, found[entry.name], fresh) for entry in entries],
        },
        ("KEY", "NAME", "VALUE", "STATE", "CHANGED", "ROTATED BY", "IN USE"),
        rows,
    )
    for line in fresh.lines(run.clock.now()) if fresh.changed else ():
        run.reporter.note(line)


def _freshness(run: Run, observed: SettingsObservation, tasks: list[Task]) -> Freshness:
    refs = {each.task_definition for each in tasks if each.desired_status != "STOPPED"}
    # During a rollout there are two revisions, which mostly get their secrets alike.
    newest = max(refs, key=lambda each: each.revision, default=None)
    revision = describe_revision(run.clients, newest) if newest is not None else None
    return observed.since(oldest_start(tasks), revision.definition if revision else None)


def _row(run: Run, entry: Entry, secret: SecretInfo | None, fresh: Freshness) -> list[str]:
    changed_at = secret.changed_at if secret is not None else None
    return [
        entry.key,
        entry.name,
        "***" if secret is not None else "-",
        _state(secret),
        local_time(changed_at) if changed_at else "-",
        _rotation(run, entry, secret) or "-",
        _use(entry, fresh),
    ]


def _use(entry: Entry, fresh: Freshness) -> str:
    reread = any(each.name == entry.name and each.is_reread for each in fresh.changed)
    return "read anew" if reread else _IN_USE[fresh.in_use(entry.name)]


def _state(secret: SecretInfo | None) -> str:
    if secret is None:
        return "missing"
    if secret.deleted_at is not None:
        return f"to be deleted on {secret.deleted_at:%Y-%m-%d}"
    if staged_version(secret) is not None:
        return "being rotated"
    if secret.stages and secret.version(CURRENT) is None:
        return "without a value"
    return f"managed by {secret.owner}" if secret.owner else "set"


def _rotation(run: Run, entry: Entry, secret: SecretInfo | None) -> str | None:
    """Say who gives the database a new password; None where nobody does."""
    if secret is not None and is_managed(secret):
        return secret.owner or "Secrets Manager"
    command = run.config.secrets[entry.key].rotate_command
    return "rotate_command" if command is not None else None


def _document(
    run: Run, entry: Entry, secret: SecretInfo | None, fresh: Freshness
) -> dict[str, object]:
    stamp = next((each for each in fresh.stamps if each.name == entry.name), None)
    return {
        "key": entry.key,
        "name": entry.name,
        "variable": entry.env,
        "exists": secret is not None,
        "arn": secret.arn if secret is not None else None,
        "changed_at": iso(secret.changed_at) if secret is not None else None,
        "deleted_at": iso(secret.deleted_at) if secret is not None else None,
        "managed_by": (secret.owner or None) if secret is not None else None,
        "stages": {key: list(each) for key, each in secret.stages.items()} if secret else {},
        "rotates_by_itself": secret.rotates if secret is not None else None,
        "rotated_by": _rotation(run, entry, secret),
        "rotated_at": iso(secret.rotated_at) if secret is not None else None,
        "last_read_on": iso(secret.read_at) if secret is not None else None,
        "delivery": stamp.delivery if stamp is not None else None,
        "in_use": fresh.in_use(entry.name),
    }
