"""Application Auto Scaling: whether it manages the count of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.errors import translated
from schoolctl.errors import UnknownOperationError
from schoolctl.plan.scale import ScalingRange

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients


def find_scaling_range(clients: Clients, cluster: str, service: str) -> ScalingRange | None:
    """Give the counts that auto scaling keeps a service between; None where it does not.

    Source: application-autoscaling DescribeScalableTargets.
    """
    try:
        with translated(f"find out whether auto scaling manages {cluster}/{service}"):
            answer = clients.autoscaling.describe_scalable_targets(
                ServiceNamespace="ecs",
                ResourceIds=[f"service/{cluster}/{service}"],
                ScalableDimension="ecs:service:DesiredCount",
            )
    except UnknownOperationError:
        return None  # where there is no auto scaling, it manages nothing
    for each in answer["ScalableTargets"]:
        return ScalingRange(int(each["MinCapacity"]), int(each["MaxCapacity"]))
    return None
