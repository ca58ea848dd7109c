"""The steps that change auto scaling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.base.text import count
from schoolctl.model.services import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import ScalingPolicy, ScalingRange


def goal(policy: ScalingPolicy) -> str:
    """Say what a policy keeps to: `60 % CPU`, or `500 requests a minute and task`."""
    if policy.metric == Metric.CPU:
        return f"{policy.target:g} % CPU"
    if policy.metric == Metric.REQUESTS:
        return f"{policy.target:g} requests a minute and task"
    return "a goal of its own"


@dataclass(frozen=True)
class RegisterScalableTarget(Step):
    """Have auto scaling keep the count between two limits."""

    cluster: str
    service: str
    limits: ScalingRange
    before: ScalingRange | None = None
    """What it keeps to now; None where it does not manage the count."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        before = f" (now {self.before})" if self.before else ""
        return f"let auto scaling keep {self.cluster}/{self.service} at {self.limits} tasks{before}"


@dataclass(frozen=True)
class PutScalingPolicy(Step):
    """Have auto scaling keep a metric near its target."""

    cluster: str
    service: str
    policy: ScalingPolicy
    before: ScalingPolicy | None = None
    """What the policy of that name says now."""
    targets: Mapping[str, float | None] = field(default_factory=dict, compare=False)
    """All policies by then with their targets, as the document tells them."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        before = f" (now {goal(self.before)})" if self.before else ""
        return f"scale by policy {self.policy.name}: {goal(self.policy)}{before}"


@dataclass(frozen=True)
class DeregisterScalableTarget(Step):
    """End auto scaling of the count; AWS deletes policies and scheduled actions with it."""

    cluster: str
    service: str
    policies: tuple[str, ...] = ()
    scheduled: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        names = [*self.policies, *(f"scheduled action {each}" for each in self.scheduled)]
        gone = f", and delete {', '.join(names)}" if names else ""
        return f"end auto scaling of {self.cluster}/{self.service}{gone}"


@dataclass(frozen=True)
class WaitForCount(Step):
    """Wait until a service runs just so many tasks, and its load balancer finds them healthy."""

    watches = True

    cluster: str
    service: str
    count: int
    timeout_seconds: float
    undo: str = ""
    """The command that takes the count back, such as `scale 2 --min 2`; empty where this run
    does not change it."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        verb = "runs" if self.count == 1 else "run"
        return (
            f"wait until {count(self.count, 'task')} {verb} (at most {self.timeout_seconds:.0f} s)"
        )


AnyScalingStep = RegisterScalableTarget | PutScalingPolicy | DeregisterScalableTarget | WaitForCount
