"""Applies the steps that change auto scaling."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import autoscaling as aws
from schoolctl.core.visible import until_settled
from schoolctl.ecs_service.steps.scaling import (
    DeregisterScalableTarget,
    PutScalingPolicy,
    RegisterScalableTarget,
)

if TYPE_CHECKING:
    from schoolctl.core.executor import Tools
    from schoolctl.ecs_service.steps.scaling import AnyScalingStep


def apply(step: AnyScalingStep, tools: Tools) -> str:
    """Carry out a step; gives what to say beside its description, or nothing."""
    clients, names = tools.clients, (step.cluster, step.service)
    match step:
        case RegisterScalableTarget():
            limits = step.limits
            until_settled(tools, lambda: aws.register_scalable_target(clients, *names, limits))
            _started(tools, limits=asdict(limits))
            return ""
        case PutScalingPolicy():
            policy = step.policy
            until_settled(tools, lambda: aws.put_scaling_policy(clients, *names, policy))
            _started(tools, policies=dict(step.targets))
            return ""
        case DeregisterScalableTarget():
            there = until_settled(tools, lambda: aws.deregister_scalable_target(clients, *names))
            _started(tools, limits=None, policies={})
            return "" if there else "it was ended already"
        case _:
            assert_never(step)


def _started(tools: Tools, **known: object) -> None:
    """Put into the document what is so from here on, even where a later step fails."""
    tools.reporter.result({"verdict": "started", **known})
