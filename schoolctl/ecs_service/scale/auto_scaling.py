"""The plan for the limits and goals of auto scaling, with or without another count. Pure.

Source: Application Auto Scaling User Guide, "Target tracking scaling policies"; ECS guide,
"Target tracking for service auto scaling".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import count
from schoolctl.ecs_service.scale.rules import plan_scale
from schoolctl.ecs_service.steps.scaling import (
    DeregisterScalableTarget,
    PutScalingPolicy,
    RegisterScalableTarget,
    goal,
)
from schoolctl.ecs_service.steps.service import UpdateService
from schoolctl.model.services import Metric, ScalingPolicy, ScalingRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.base.plan import Step
    from schoolctl.ecs_service.define.plan import DeployOptions
    from schoolctl.model.services import AutoScaling, ServiceState
    from schoolctl.model.surroundings import TargetGroup

POLICY_NAMES: Final = {Metric.CPU: "schoolctl-cpu", Metric.REQUESTS: "schoolctl-requests"}
"""What the policies are called that `scale` makes; it changes no others."""
_APPLICATION: Final = "app"


@dataclass(frozen=True)
class Wanted:
    """What `scale` was asked for; None for what is left as it is."""

    count: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    cpu: int | None = None
    requests: int | None = None
    ends: bool = False

    @property
    def changes_auto_scaling(self) -> bool:
        """Whether anything but a count was asked for."""
        given = (self.minimum, self.maximum, self.cpu, self.requests)
        return self.ends or any(each is not None for each in given)

    def goals(self) -> Iterator[tuple[Metric, int]]:
        """Give what is to be tracked, with its target."""
        if self.cpu is not None:
            yield Metric.CPU, self.cpu
        if self.requests is not None:
            yield Metric.REQUESTS, self.requests


def check_wanted(wanted: Wanted) -> None:
    """Refuse what is wrong whatever AWS says.

    Raises:
        UsageError: nothing was asked for, or what was contradicts itself.
    """
    low, high, number = wanted.minimum, wanted.maximum, wanted.count
    if number is None and not wanted.changes_auto_scaling:
        raise UsageError(
            "neither a count nor limits are given",
            hint="`schoolctl scale 3` sets the count, `schoolctl scale --min 2 --max 6` its limits",
        )
    if wanted.ends and replace(wanted, ends=False).changes_auto_scaling:
        raise UsageError(
            "--no-auto ends auto scaling: there is nothing to set with it but a count",
            hint="leave out --no-auto, or the limits and goals",
        )
    if low is not None and high is not None and low > high:
        raise UsageError(f"--min {low} is more than --max {high}", hint="swap the two")
    too_few = number is not None and low is not None and number < low
    too_many = number is not None and high is not None and number > high
    if too_few or too_many:
        limit = f"--min {low}" if too_few else f"--max {high}"
        raise UsageError(
            f"the count {number} is outside of the limits: {limit}",
            hint="give a count between the two, or none: auto scaling finds it",
        )


def plan_auto_scaling(
    service: ServiceState,
    wanted: Wanted,
    found: AutoScaling,
    options: DeployOptions,
    group: TargetGroup | None = None,
) -> Plan:
    """Decide the steps to the limits, goals and count; none for what is so already.

    Args:
        service: as it was observed.
        wanted: what was asked for, checked.
        found: what auto scaling does now.
        options: whether and how long to wait for a count.
        group: the only target group of the service; None where there is not just one, or
            where requests are not counted.

    Raises:
        ConflictError: there are no limits yet, what was asked for does not go with those that
            there are, another policy tracks the metric, or no load balancer counts requests.
    """
    limits = limits_after(service, wanted, found.limits)
    first = tuple(_ends(service, found) if wanted.ends else _begins(service, limits, found))
    counted: Plan | None = None
    if wanted.count is not None:
        _check_count(service, wanted, wanted.count, limits)
        undo = _undo(service.desired, wanted, limits, found)
        # Without the limits: the count was checked, and who sets both needs no warning of either.
        counted = plan_scale(service, wanted.count, None, options, undo=undo)
    goals = tuple(_goals(service, wanted, found, group))
    changes: tuple[Step, ...] = (*first, *goals)
    said = [f"{each.describe()}." for each in changes]
    notes = _ended(service, wanted, found) if wanted.ends else _notes(service, wanted, limits)
    if limits is not None and not found.policies and not goals:
        notes += ("no policy moves the count within them: give it a goal with --cpu or --requests",)
    nothing = f"nothing to do: {told(service.name, wanted, limits)}"
    if counted is None:
        return Plan(
            " ".join(said) or nothing,
            changes,
            nothing=nothing,
            notes=notes if changes else (),
            deletes=bool(wanted.ends and changes),
        )
    sets_count = any(isinstance(each, UpdateService) for each in counted.steps)
    if sets_count or not said:
        said.append(counted.summary)
    # With its limits first: auto scaling would undo a count outside of those before.
    return replace(
        counted,
        summary=" ".join(said),
        steps=(*changes, *counted.steps),
        notes=(*(notes if changes else ()), *counted.notes),
        deletes=bool(wanted.ends and changes),
    )


def _undo(before: int, wanted: Wanted, limits: ScalingRange | None, found: AutoScaling) -> str:
    """Give the command that takes count, limits and goals back to what they are now.

    Not a policy that was not there before, nor what a policy of another kind had said.
    """
    words = ["scale", str(before)]
    if found.limits is None:
        return " ".join([*words, *(["--no-auto"] if limits is not None else [])])
    # A count outside of the limits, which somebody else has set, would be refused with them.
    low, high = min(found.limits.minimum, before), max(found.limits.maximum, before, 1)
    if limits is None or limits.minimum != low:
        words.append(f"--min {low}")
    if limits is None or limits.maximum != high:
        words.append(f"--max {high}")
    goals = dict(wanted.goals())
    for metric, name in POLICY_NAMES.items():
        policy = next((each for each in found.policies if each.name == name), None)
        if policy is None or not policy.target.is_integer():
            continue
        if limits is None or goals.get(metric, policy.target) != policy.target:
            words.append(f"--{metric.name.lower()} {policy.target:.0f}")
    return " ".join(words)


def limits_after(
    service: ServiceState, wanted: Wanted, before: ScalingRange | None
) -> ScalingRange | None:
    """Give what the count is to be kept between; None where auto scaling ends.

    Raises:
        ConflictError: a limit is missing, or the one asked for does not go with the other.
    """
    if wanted.ends:
        return None
    name = f"{service.cluster}/{service.name}"
    low = wanted.minimum if wanted.minimum is not None or before is None else before.minimum
    high = wanted.maximum if wanted.maximum is not None or before is None else before.maximum
    if low is None or high is None:
        missing = " and ".join(
            option for option, value in (("--min", low), ("--max", high)) if value is None
        )
        raise ConflictError(
            f"auto scaling does not manage {name} yet: it needs both limits",
            why=f"{missing} is missing" if " " not in missing else f"{missing} are missing",
            hint=f"give both: `schoolctl scale {_both_limits(wanted)}`",
        )
    if low > high:
        given = f"--min {low}" if wanted.minimum is not None else f"--max {high}"
        raise ConflictError(
            f"{given} does not go with the limits that auto scaling keeps {name} to: {before}",
            why=f"the lower limit would be {low}, the upper one {high}",
            hint="give --min and --max",
        )
    return ScalingRange(low, high)


def _check_count(
    service: ServiceState, wanted: Wanted, number: int, limits: ScalingRange | None
) -> None:
    """Refuse a count beyond a limit that stays; `check_wanted` has seen those that are given."""
    if limits is None or limits.minimum <= number <= limits.maximum:
        return
    too_few = number < limits.minimum
    beyond = f"below the lower limit {limits.minimum}" if too_few else ""
    beyond = beyond or f"above the upper limit {limits.maximum}"
    whole = replace(wanted, minimum=number) if too_few else replace(wanted, maximum=number)
    raise ConflictError(
        f"the count {number} of {service.cluster}/{service.name} is {beyond}, which stays",
        why="auto scaling would undo it within a minute",
        hint=f"change that limit, too: `schoolctl scale {_words(whole)}`",
    )


def _both_limits(wanted: Wanted) -> str:
    """Give the options that were given, and an example of each limit that was not."""
    known = [each for each in (wanted.minimum, wanted.maximum, wanted.count) if each is not None]
    low = wanted.minimum if wanted.minimum is not None else min((2, *known))
    high = wanted.maximum if wanted.maximum is not None else max((6, *known))
    return _words(replace(wanted, minimum=low, maximum=high))


def _words(wanted: Wanted) -> str:
    """Give what was asked for as it is typed, but for --no-auto."""
    options = {
        "min": wanted.minimum,
        "max": wanted.maximum,
        "cpu": wanted.cpu,
        "requests": wanted.requests,
    }
    given = [f"--{name} {value}" for name, value in options.items() if value is not None]
    return " ".join([*([str(wanted.count)] if wanted.count is not None else []), *given])


def _begins(
    service: ServiceState, limits: ScalingRange | None, found: AutoScaling
) -> Iterator[Step]:
    if limits is not None and limits != found.limits:
        yield RegisterScalableTarget(service.cluster, service.name, limits, found.limits)


def _ends(service: ServiceState, found: AutoScaling) -> Iterator[Step]:
    if found.limits is not None:
        names = tuple(each.name for each in found.policies)
        yield DeregisterScalableTarget(service.cluster, service.name, names, found.scheduled)


def _goals(
    service: ServiceState, wanted: Wanted, found: AutoScaling, group: TargetGroup | None
) -> Iterator[Step]:
    targets = targets_of(found)
    for metric, target in wanted.goals():
        name = POLICY_NAMES[metric]
        label = request_label(service, group) if metric is Metric.REQUESTS else ""
        before = next((each for each in found.policies if each.name == name), None)
        rival = next(
            (each for each in found.policies if each.metric == metric and each.name != name), None
        )
        if rival is not None:
            raise ConflictError(
                f"policy {rival.name} of {service.cluster}/{service.name} keeps"
                f" {goal(rival)} already",
                why="AWS takes one policy for each metric, and this one is not schoolctl's",
                hint="change it where it was made, or delete it: `aws application-autoscaling"
                " delete-scaling-policy --service-namespace ecs --scalable-dimension"
                f" ecs:service:DesiredCount --resource-id service/{service.cluster}/{service.name}"
                f" --policy-name {rival.name}`",
            )
        settings = before.settings if before else {}
        policy = ScalingPolicy(name, metric, float(target), label, settings)
        if policy != before:
            targets = {**targets, name: policy.target}
            yield PutScalingPolicy(service.cluster, service.name, policy, before, targets)


def request_label(service: ServiceState, group: TargetGroup | None) -> str:
    """Give the name by which AWS knows the requests of a target group.

    Raises:
        ConflictError: no application load balancer, or more than one, counts them.

    Source: application-autoscaling PutScalingPolicy, `ResourceLabel`: the ends of both ARNs,
        `app/<name>/<id>/targetgroup/<name>/<id>`.
    """
    balancers = group.load_balancer_arns if group is not None else ()
    ends = [each.partition(":loadbalancer/")[2] for each in balancers]
    counting = [each for each in ends if each.partition("/")[0] == _APPLICATION]
    if group is None or len(counting) != 1:
        raise ConflictError(
            f"the requests to {service.cluster}/{service.name} cannot be a goal",
            why="they are counted for a service with one target group, which one application"
            " load balancer forwards to",
            hint="scale by --cpu",
        )
    return f"{counting[0]}/{group.arn.rpartition(':')[2]}"


def _notes(service: ServiceState, wanted: Wanted, limits: ScalingRange | None) -> tuple[str, ...]:
    """Give what comes of the limits."""
    notes: tuple[str, ...] = ()
    now, then = service.desired, count_after(service, wanted, limits)
    if wanted.count is None and then != now:
        notes += (f"the count is {now}: auto scaling will set it to {then}",)
    if limits is not None and limits.minimum == 0:
        notes += ("at 0 tasks there is nothing to measure: no goal brings a task back",)
    return notes


def _ended(service: ServiceState, wanted: Wanted, found: AutoScaling) -> tuple[str, ...]:
    if found.limits is None:
        return ()
    notes: tuple[str, ...] = ()
    if wanted.count is None:
        notes += (f"{service.name} stays at {count(service.desired, 'task')}",)
    if found.scheduled:
        told = f"{count(len(found.scheduled), 'scheduled action')} ({', '.join(found.scheduled)})"
        notes += (f"AWS deletes {told} with the limits: keep a copy of what you need again",)
    return notes


def told(subject: str, wanted: Wanted, limits: ScalingRange | None) -> str:
    """Say what auto scaling does once a plan is through, of `subject`: the service, or `it`."""
    if limits is None:
        return f"auto scaling does not manage {subject}"
    goals = "".join(f", {goal(ScalingPolicy('', metric, n))}" for metric, n in wanted.goals())
    return f"auto scaling keeps {subject} at {limits} tasks{goals}"


def count_after(service: ServiceState, wanted: Wanted, limits: ScalingRange | None) -> int:
    """Give the count once a plan is through: the one asked for, or what the limits make of it."""
    if wanted.count is not None:
        return wanted.count
    if limits is None:
        return service.desired
    return min(max(service.desired, limits.minimum), limits.maximum)


def targets_of(found: AutoScaling) -> dict[str, float | None]:
    """Give the policies that there are with their targets; None for another kind."""
    return {each.name: each.target if each.metric else None for each in found.policies}
