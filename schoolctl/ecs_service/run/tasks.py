"""Applies the steps that run something in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.ecs_service.steps.tasks import OpenSession, RunTask

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.steps.tasks import AnyTaskStep


def apply(step: AnyTaskStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case RunTask():
            from schoolctl.ecs_service.run import apply as run_task

            return run_task.run_task(step, tools, outcome)
        case OpenSession():
            from schoolctl.ecs_service.run import session

            return session.run_session(step, tools, outcome)
        case _:
            assert_never(step)
