"""What Application Auto Scaling does with a service: its limits and its policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metric(StrEnum):
    """What a policy keeps near its target, as AWS spells it.

    Source: application-autoscaling PutScalingPolicy, `PredefinedMetricType`.
    """

    CPU = "ECSServiceAverageCPUUtilization"
    REQUESTS = "ALBRequestCountPerTarget"


@dataclass(frozen=True)
class ScalingRange:
    """Between which counts auto scaling keeps a service."""

    minimum: int
    maximum: int

    def __str__(self) -> str:
        return f"{self.minimum} to {self.maximum}"


@dataclass(frozen=True)
class ScalingPolicy:
    """A policy by which auto scaling moves the count.

    Attributes:
        name: of the policy.
        metric: the predefined metric that it tracks; empty for a policy of another kind.
        target: what the metric is kept near.
        label: which load balancer and target group the metric is of; empty where it is of none.
        settings: what else its configuration says, as AWS spells it, such as `ScaleInCooldown`.
    """

    name: str
    metric: str = ""
    target: float = 0.0
    label: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AutoScaling:
    """What auto scaling does with one service."""

    limits: ScalingRange | None = None
    """None where it does not manage the count."""
    policies: tuple[ScalingPolicy, ...] = ()
    scheduled: tuple[str, ...] = ()
    """The names of the scheduled actions, read only where auto scaling is to end."""
