"""Applies the steps that run something in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.plan import steps

if TYPE_CHECKING:
    from schoolctl.execute import Outcome, Tools
    from schoolctl.plan.steps.tasks import AnyTaskStep


def apply(step: AnyTaskStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case steps.RunTask():
            from schoolctl.execute import run_task

            return run_task.run_task(step, tools, outcome)
        case steps.OpenSession():
            from schoolctl.execute import session

            return session.run_session(step, tools, outcome)
        case _:
            assert_never(step)
