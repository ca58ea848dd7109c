"""Handlers of the steps that rotate a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import secrets
from schoolctl.base.errors import NotFoundError, RolloutError, TimedOutError
from schoolctl.base.text import duration
from schoolctl.model.values import CURRENT, PENDING
from schoolctl.rotation.steps import (
    AwaitRotation,
    EndRotation,
    PromoteSecret,
    RotateSecret,
    StageSecret,
)

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.rotation.steps import (
        AnyRotationStep,
    )

_POLL_SECONDS = 2.0


def apply(step: AnyRotationStep, tools: Tools, _outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case StageSecret():
            return stage(step, tools)
        case PromoteSecret():
            return promote(step, tools)
        case EndRotation():
            return end(step, tools)
        case RotateSecret():
            return begin(step, tools)
        case AwaitRotation():
            return wait(step, tools)
        case _:
            assert_never(step)


def stage(step: StageSecret, tools: Tools) -> str:
    """Store the new password under AWSPENDING."""
    secrets.stage_secret(tools.clients, step.name, step.value, version=step.version)
    return ""


def promote(step: PromoteSecret, tools: Tools) -> str:
    """Make the staged password the current one."""
    secrets.make_current(tools.clients, step.name, step.version, instead_of=step.instead_of)
    return ""


def end(step: EndRotation, tools: Tools) -> str:
    """Take the label AWSPENDING off."""
    secrets.take_off_pending(tools.clients, step.name, step.version)
    return ""


def begin(step: RotateSecret, tools: Tools) -> str:
    """Have Secrets Manager begin."""
    secrets.rotate_secret(tools.clients, step.name, version=step.version)
    return ""


def wait(step: AwaitRotation, tools: Tools) -> str:
    """Wait until the new version is current.

    Raises:
        NotFoundError: the secret is gone.
        RolloutError: Secrets Manager gave the new version up.
        TimedOutError: it is not through within the step's limit, and goes on.
    """
    begun = tools.clock.monotonic()
    while True:
        found = secrets.find_secret(tools.clients, step.name)
        if found is None:
            raise NotFoundError(f"secret {step.name} is gone", why="somebody deleted it meanwhile")
        labels = found.stages.get(step.version, ())
        elapsed = tools.clock.monotonic() - begun
        if CURRENT in labels:
            return f"after {duration(elapsed)}"
        if PENDING not in labels and found.version(PENDING) is not None:
            raise RolloutError(
                f"secret {step.name} was not rotated: its new version was given up for another",
                why="AWSPENDING is on another version now",
                hint="run it again: it waits for that one",
            )
        if elapsed >= step.timeout_seconds:
            raise TimedOutError(
                f"secret {step.name} is not rotated after {duration(elapsed)}",
                why="Secrets Manager is still at it, or its rotation fails: the current password"
                " is the old one",
                hint="`schoolctl secrets list` shows how it stands; the log of its rotation"
                " function, or CloudTrail, tells why",
            )
        tools.clock.sleep(_POLL_SECONDS)
