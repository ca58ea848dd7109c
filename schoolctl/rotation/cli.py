"""`secrets rotate`."""

from __future__ import annotations

import secrets
import string
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.secrets import find_secret, get_secret_value
from schoolctl.base.errors import ExitCode, NotFoundError, SchoolctlError
from schoolctl.core.locking import locked
from schoolctl.core.options import ChangingCommand, parse_timeout
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets
from schoolctl.ecs_service.define.observe import need_service
from schoolctl.model.services import running_revision
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import declared_secrets, find_entry, is_managed, staged_version
from schoolctl.params.secret_shape import with_new_password
from schoolctl.rotation.rules import (
    PURPOSE,
    Rotation,
    plan_end,
    plan_managed,
    plan_rotation,
    refuse_unrotatable,
    was_seen_through,
)

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.model.values import SecretInfo


app = typer.Typer()


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
    run = Run.of(context)
    settle_secrets(run)
    _rotate(run, key, parse_timeout(timeout))


def _rotate(run: Run, key: str, timeout_seconds: float) -> None:
    """Rotate the secret `key`; what an earlier run began is seen through."""
    config = run.config
    rotation = Rotation(
        entry=find_entry(declared_secrets(config), key),
        command=config.secrets[key].rotate_command,
        new_version=str(uuid.uuid4()),
        timeout_seconds=timeout_seconds,
    )
    with locked(run):
        rotation = replace(rotation, unfinished=run.unfinished)
        secret = _observe(run, rotation)
        plan = _plan(run, rotation, secret)
        version = staged_version(secret) or rotation.new_version
        if was_seen_through(rotation, secret):
            version = rotation.unfinished
        run.reporter.result(
            {
                "environment": config.environment,
                "key": key,
                "secret": secret.name,
                "version": version,
                "verdict": "not started",
            }
        )
        if plan.steps and not is_managed(secret):
            run.declare(version)
        try:
            outcome = run.carry_out(plan)
        except SchoolctlError as error:
            _say_how_to_go_on(error)
            raise
    if outcome is not None:
        _report(run, rotation, secret, plan)


def _observe(run: Run, rotation: Rotation) -> SecretInfo:
    secret = refuse_unrotatable(rotation, find_secret(run.clients, rotation.entry.name))
    run.check_account()
    return secret


def _plan(run: Run, rotation: Rotation, secret: SecretInfo) -> Plan:
    if is_managed(secret):
        return plan_managed(rotation, secret)
    if was_seen_through(rotation, secret):
        return plan_end(rotation, secret)
    asked = run.clients.start(need_service, run.clients, run.config)
    value = None if staged_version(secret) else _new_value(run, rotation)
    service = asked.result()
    return plan_rotation(
        rotation, secret, value, service, running_revision(service), run.config.task.container
    )


def _new_value(run: Run, rotation: Rotation) -> SecretValue:
    """Give the secret's text with a new password in it. Its shape has to be known for that."""
    stored = get_secret_value(run.clients, rotation.entry.name)
    if stored is None:
        raise NotFoundError(
            f"{rotation.entry} has no value yet",
            why="a rotation replaces a password that works; nothing was changed",
            hint=f"`schoolctl secrets set {rotation.entry.key}`",
        )
    return with_new_password(stored, new_password())


def _say_how_to_go_on(error: SchoolctlError) -> None:
    """Say of a rotation whose command failed that the next run sees it through."""
    if error.exit_code is not ExitCode.ROLLOUT or PURPOSE not in error.what:
        return
    goes_on = (
        "AWSCURRENT is as it was, and the new password stays staged: run it again, and it goes"
        " on from here"
    )
    error.hint = "\n".join(filter(None, (error.hint, goes_on)))


def _report(run: Run, rotation: Rotation, secret: SecretInfo, plan: Plan) -> None:
    name = f"{rotation.entry}"
    if not plan.steps:
        run.reporter.result({"verdict": "nothing to do"})
        return
    by = f" by {secret.owner or 'Secrets Manager'}" if is_managed(secret) else ""
    run.reporter.result({"verdict": "rotated"}, [f"{name} was rotated{by}"])
    variable = rotation.entry.env
    if variable is not None:
        run.reporter.note(
            f"no restart is needed by a service that reads it by itself, through {variable}, as the"
            " registration service does"
        )


_LENGTH = 40
# Neither what RDS refuses (`/`, `@`, `"` and space), nor what a shell, a URL or YAML would read.
_MARKS = "-_.~"
_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _MARKS)


def new_password() -> SecretValue:
    """Make a password of 40 characters: small and capital letters, digits, and marks.

    Each kind is in it, as the rules of many databases ask for.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
    """
    while True:
        text = "".join(secrets.choice("".join(_KINDS)) for _ in range(_LENGTH))
        if all(set(text) & set(kind) for kind in _KINDS):
            return SecretValue(text)
