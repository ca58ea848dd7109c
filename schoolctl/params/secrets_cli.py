"""`secrets set`, `secrets list`, `secrets rotate`: the service's secrets in Secrets Manager."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolctl.core.options import ChangingCommand, Command
from schoolctl.core.run import Run

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
    from schoolctl.base.errors import UsageError
    from schoolctl.core.stack_values import settle_secrets
    from schoolctl.params.cli import report_set
    from schoolctl.params.observe import observe_stored
    from schoolctl.params.rules import declared_secrets, find_entry, plan_values, refuse_unwritable
    from schoolctl.params.secret_shape import shape_secret
    from schoolctl.params.sources import from_questions, from_stdin
    from schoolctl.params.values import refuse_bad_values

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


@app.command("rotate", cls=ChangingCommand)
def rotate_secret(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The secret's key.")],
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", help="How long the database's part may take."),
    ] = 900.0,
) -> None:
    """Give the database and the secret a new random password.

    The new one is staged (AWSPENDING), `rotate_command` gives it to the database as a one-off
    task, and then it becomes the current one. What was cut off is seen through by the next run.
    A secret that Secrets Manager or RDS rotates by itself is rotated by them.
    """
    from schoolctl.core.limits import parse_timeout
    from schoolctl.core.stack_values import settle_secrets
    from schoolctl.rotation.cli import rotate

    run = Run.of(context)
    settle_secrets(run)
    rotate(run, key, parse_timeout(timeout))


@app.command("list", cls=Command)
def list_secrets(context: typer.Context) -> None:
    """List the declared secrets, how they are rotated, and whether tasks have them as they are.

    No value is read.
    """
    from schoolctl.core.stack_values import settle_secrets
    from schoolctl.params.secret_list_cli import list_secrets

    run = Run.of(context)
    settle_secrets(run)
    list_secrets(run)
