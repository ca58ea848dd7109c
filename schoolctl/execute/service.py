"""Applies the steps that bring a service to a revision, and watch it get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.execute import deploy
from schoolctl.plan import steps

if TYPE_CHECKING:
    from schoolctl.execute import Outcome, Tools
    from schoolctl.plan.steps.service import AnyServiceStep


def apply(step: AnyServiceStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case steps.CreateLogGroup():
            return deploy.create_log_group(step, tools)
        case steps.RegisterTaskDefinition():
            return deploy.register(step, tools, outcome)
        case steps.CreateService():
            return deploy.create_service(step, tools, outcome)
        case steps.UpdateService():
            return deploy.update_service(step, tools, outcome)
        case steps.StopDeployment():
            return deploy.stop_deployment(step, tools)
        case steps.MarkCompleted():
            return deploy.mark_completed(step, tools, outcome)
        case steps.WaitForRollout():
            from schoolctl.execute import rollout

            return rollout.wait_for_rollout(step, tools, outcome)
        case steps.WaitForCount():
            from schoolctl.execute import scale

            return scale.wait_for_count(step, tools, outcome)
        case _:
            assert_never(step)
