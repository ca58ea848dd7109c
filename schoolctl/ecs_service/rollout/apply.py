"""Applies the steps that bring a service to a revision, and watch it get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.ecs_service.rollout import deploy
from schoolctl.ecs_service.steps.service import (
    CreateLogGroup,
    CreateService,
    MarkCompleted,
    RegisterTaskDefinition,
    StopDeployment,
    UpdateService,
    WaitForCount,
    WaitForRollout,
)

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.steps.service import AnyServiceStep


def apply(step: AnyServiceStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case CreateLogGroup():
            return deploy.create_log_group(step, tools)
        case RegisterTaskDefinition():
            return deploy.register(step, tools, outcome)
        case CreateService():
            return deploy.create_service(step, tools, outcome)
        case UpdateService():
            return deploy.update_service(step, tools, outcome)
        case StopDeployment():
            return deploy.stop_deployment(step, tools)
        case MarkCompleted():
            return deploy.mark_completed(step, tools, outcome)
        case WaitForRollout():
            from schoolctl.ecs_service.rollout import follow as rollout

            return rollout.wait_for_rollout(step, tools, outcome)
        case WaitForCount():
            from schoolctl.ecs_service.scale import apply as scale

            return scale.wait_for_count(step, tools, outcome)
        case _:
            assert_never(step)
