"""How a secret is rotated, from whatever state an earlier rotation left it in. Pure.

The order leaves a working pair at every step: the new password is stored under AWSPENDING before
the database has it, and becomes AWSCURRENT when the database is known to take it. In between, a
reader of AWSCURRENT is refused and finds the right one under AWSPENDING.

Source: Secrets Manager, "Rotation by Lambda function" (the labels and their order).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConfigError, ConflictError, NotFoundError
from schoolctl.base.plan import Plan
from schoolctl.ecs_service.define.service_request import launch_of
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.values import CURRENT, PENDING
from schoolctl.params.rules import is_managed, staged_version
from schoolctl.rotation.steps import (
    AwaitRotation,
    EndRotation,
    PromoteSecret,
    RotateSecret,
    StageSecret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.base.plan import Step
    from schoolctl.model.services import ServiceState, TaskDefinitionRef
    from schoolctl.model.values import SecretInfo, SecretValue
    from schoolctl.params.rules import Entry

PURPOSE = "rotation command"


@dataclass(frozen=True)
class Rotation:
    """What is asked for.

    Attributes:
        entry: the secret as schoolctl.yaml declares it.
        command: what gives the database the pending password; None where nothing does.
        new_version: the id that a new version gets.
        unfinished: the version that a run which died had set out to make current, or empty.
        timeout_seconds: how long the command, or Secrets Manager, may take.
    """

    entry: Entry
    command: Sequence[str] | None
    new_version: str
    unfinished: str = ""
    timeout_seconds: float = 900


def refuse_unrotatable(rotation: Rotation, secret: SecretInfo | None) -> SecretInfo:
    """Give the secret, or raise where it cannot be rotated, whatever its value is.

    Raises:
        NotFoundError: it does not exist, or holds nothing yet.
        ConflictError: it is scheduled for deletion.
        ConfigError: nothing gives the database a new password.
    """
    entry = rotation.entry
    if secret is None or (not secret.rotates and secret.version(CURRENT) is None):
        raise NotFoundError(
            f"{entry} {'does not exist' if secret is None else 'has no value yet'}",
            why="a rotation replaces a password that works; nothing was changed",
            hint=f"`schoolctl secrets set {entry.key}`",
        )
    if secret.deleted_at is not None:
        raise ConflictError(
            f"{entry} is scheduled for deletion",
            why="nothing was changed",
            hint=f"bring it back first: `schoolctl secrets set {entry.key} --restore`",
        )
    if not is_managed(secret) and rotation.command is None:
        raise ConfigError(
            f"schoolctl.yaml does not say how the database gets a new password of {entry.key}",
            why="Secrets Manager does not rotate it by itself; nothing was changed",
            hint="name a command of the service's image that gives the database the password which"
            f" stands under AWSPENDING: `secrets.{entry.key}.rotate_command:"
            " [python, -m, service.rotate]`",
        )
    return secret


def was_seen_through(rotation: Rotation, secret: SecretInfo) -> bool:
    """Say whether the run that died had come as far as making its version the current one."""
    return bool(rotation.unfinished) and rotation.unfinished == secret.version(CURRENT)


def plan_managed(rotation: Rotation, secret: SecretInfo) -> Plan:
    """Plan the rotation of a secret that Secrets Manager rotates by itself."""
    by = secret.owner or "Secrets Manager"
    running = staged_version(secret)
    version = running or rotation.new_version
    begin = () if running else (RotateSecret(secret.name, version),)
    note = f"{by} manages this secret: it makes the new password and gives it to the database"
    if running:
        note = f"{by} is rotating it already; this run waits for the end"
    return Plan(
        summary=_summary(rotation),
        steps=(*begin, AwaitRotation(secret.name, version, rotation.timeout_seconds)),
        notes=(note,),
    )


def plan_rotation(
    rotation: Rotation,
    secret: SecretInfo,
    value: SecretValue | None,
    service: ServiceState,
    revision: TaskDefinitionRef,
    container: str,
) -> Plan:
    """Plan a rotation that the service's own command carries out.

    Args:
        rotation: what is asked for.
        secret: the secret as it is.
        value: what to stage, in the secret's shape; None where a password is staged already.
        service: whose network and launch type the command's task has.
        revision: what that task runs.
        container: the container that runs the command.

    Raises:
        NotFoundError: the service has no network configuration, as Fargate tasks need it.
    """
    network = service.settings.get("networkConfiguration")
    if not isinstance(network, dict) or not network:
        raise NotFoundError(
            f"service {service.cluster}/{service.name} has no network configuration",
            why="the rotation command runs as a task beside it, and takes the service's",
            hint="deploy the service with schoolctl first",
        )
    staged = staged_version(secret)
    version = staged or rotation.new_version
    steps: list[Step] = []
    if staged is None and value is not None:
        left = secret.version(PENDING)
        steps += [EndRotation(secret.name, left)] if left else []
        steps.append(StageSecret(secret.name, value, version))
    steps += [
        RunTask(
            cluster=service.cluster,
            container=container,
            task_definition=revision,
            command=tuple(rotation.command or ()),
            network=network,
            purpose=PURPOSE,
            timeout_seconds=rotation.timeout_seconds,
            launch=launch_of(service.settings),
            alone=True,
        ),
        PromoteSecret(secret.name, version, secret.version(CURRENT) or ""),
        EndRotation(secret.name, version),
    ]
    return Plan(
        summary=_summary(rotation),
        steps=tuple(steps),
        notes=tuple(_notes(staged=staged is not None)),
    )


def plan_end(rotation: Rotation, secret: SecretInfo) -> Plan:
    """Plan what is left of a rotation whose password is the current one by now."""
    left = secret.version(PENDING)
    return Plan(
        summary=_summary(rotation),
        steps=(EndRotation(secret.name, left),) if left else (),
        nothing=f"nothing to do: {rotation.entry} was rotated by the run that was cut off",
        notes=("the run that was cut off had rotated it; this one puts away what it left",)
        if left
        else (),
    )


def _notes(*, staged: bool) -> Iterator[str]:
    if staged:
        yield "an earlier rotation staged a password and did not end; this run goes on with it"
    yield (
        "until the last steps, who reads AWSCURRENT alone cannot open new connections; the"
        " registration service tries AWSPENDING, too, and open connections stay open"
    )


def _summary(rotation: Rotation) -> str:
    return f"rotate {rotation.entry}"
