"""`secrets set`, `secrets list`: the service's secrets in Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.options import ChangingCommand, Command
from schoolctl.cli.run import Run

if TYPE_CHECKING:
    from schoolctl.model import SecretInfo
    from schoolctl.plan.params import Entry

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
    from schoolctl.aws.stored import observe_stored
    from schoolctl.cli.given import from_questions, from_stdin
    from schoolctl.cli.params import report_set
    from schoolctl.errors import UsageError
    from schoolctl.plan.params import declared_secrets, find_entry, plan_values, refuse_unwritable
    from schoolctl.plan.secret_shape import shape_secret
    from schoolctl.values import refuse_bad_values

    run = Run.of(context)
    if "=" in key:
        raise UsageError(
            "a secret's value must not stand on the command line",
            why="every user of this machine can read it there, and the shell's history keeps it",
            hint="leave out `=VALUE` to be asked for it, or pipe it in with --stdin",
        )
    if username is not None and plain:
        raise UsageError("--username makes the secret JSON, --plain makes it plain text")
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
    """List the declared secrets; no value is read."""
    from schoolctl.aws.secrets import find_secret
    from schoolctl.plan.params import declared_secrets
    from schoolctl.text import local_time

    run = Run.of(context)
    entries = declared_secrets(run.config)
    asked = {entry: run.clients.start(find_secret, run.clients, entry.name) for entry in entries}
    found = {entry: call.result() for entry, call in asked.items()}
    run.check_account()
    rows = [
        [
            entry.key,
            entry.name,
            "***" if secret is not None else "-",
            _state(secret),
            local_time(secret.changed_at) if secret is not None and secret.changed_at else "-",
        ]
        for entry, secret in found.items()
    ]
    run.reporter.table(
        {
            "environment": run.config.environment,
            "secrets": [_document(entry, secret) for entry, secret in found.items()],
        },
        ("KEY", "NAME", "VALUE", "STATE", "CHANGED"),
        rows,
    )


def _state(secret: SecretInfo | None) -> str:
    if secret is None:
        return "missing"
    if secret.deleted_at is not None:
        return f"to be deleted on {secret.deleted_at:%Y-%m-%d}"
    return f"managed by {secret.owner}" if secret.owner else "set"


def _document(entry: Entry, secret: SecretInfo | None) -> dict[str, object]:
    from schoolctl.text import iso

    return {
        "key": entry.key,
        "name": entry.name,
        "variable": entry.env,
        "exists": secret is not None,
        "arn": secret.arn if secret is not None else None,
        "changed_at": iso(secret.changed_at) if secret is not None else None,
        "deleted_at": iso(secret.deleted_at) if secret is not None else None,
        "managed_by": (secret.owner or None) if secret is not None else None,
    }
