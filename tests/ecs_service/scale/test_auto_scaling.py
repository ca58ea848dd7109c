"""The limits and goals of auto scaling: the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.ecs_service.define.plan import DeployOptions
from schoolctl.ecs_service.scale.auto_scaling import (
    Wanted,
    check_wanted,
    plan_auto_scaling,
    targets_of,
)
from schoolctl.ecs_service.steps.scaling import (
    DeregisterScalableTarget,
    PutScalingPolicy,
    RegisterScalableTarget,
    WaitForCount,
)
from schoolctl.ecs_service.steps.service import UpdateService
from schoolctl.model.services import AutoScaling, Metric, ScalingPolicy, ScalingRange
from schoolctl.model.surroundings import TargetGroup
from tests.worlds.scenes import COMPLETED, deployment, service

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan

ELB = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
GROUP = f"{ELB}:targetgroup/school-tg/943f"
BALANCER = f"{ELB}:loadbalancer/app/school-alb/778d"
LABEL = "app/school-alb/778d/targetgroup/school-tg/943f"
CPU = ScalingPolicy("schoolctl-cpu", Metric.CPU, 60.0, settings={"ScaleInCooldown": 30})
NONE = AutoScaling()
SCALED = AutoScaling(ScalingRange(2, 6), (CPU,))
LEAVE = DeployOptions(wait=False)


def group(*balancers: str) -> TargetGroup:
    return TargetGroup(GROUP, "school-tg", "ip", "vpc-1", balancers)


def plan(
    wanted: Wanted, found: AutoScaling = NONE, desired: int = 2, of: TargetGroup | None = None
) -> Plan:
    check_wanted(wanted)
    state = service(deployment(state=COMPLETED, running=desired), desired=desired)
    return plan_auto_scaling(state, wanted, found, DeployOptions(), of)


# Limits


def test_both_limits_begin_auto_scaling() -> None:
    made = plan(Wanted(minimum=2, maximum=6))
    assert made.steps == (RegisterScalableTarget("school", "web", ScalingRange(2, 6)),)
    assert made.steps[0].describe() == "let auto scaling keep school/web at 2 to 6 tasks"
    assert made.notes == (
        "no policy moves the count within them: give it a goal with --cpu or --requests",
    )
    assert not made.asks
    assert not made.deletes


def test_who_sets_the_count_with_its_limits_is_not_warned_of_them() -> None:
    made = plan(Wanted(count=3, minimum=2, maximum=6, cpu=60))
    assert len(made.steps) == 4
    assert made.warnings == ()


def test_limits_that_there_are_already_are_nothing_to_do() -> None:
    made = plan(Wanted(minimum=2, maximum=6), SCALED)
    assert made.steps == ()
    assert made.nothing == "nothing to do: auto scaling keeps web at 2 to 6 tasks"


@pytest.mark.parametrize(
    ("wanted", "limits"),
    [(Wanted(minimum=3), ScalingRange(3, 6)), (Wanted(maximum=9), ScalingRange(2, 9))],
)
def test_one_limit_leaves_the_other(wanted: Wanted, limits: ScalingRange) -> None:
    [step] = plan(wanted, SCALED, desired=4).steps
    assert step == RegisterScalableTarget("school", "web", limits, ScalingRange(2, 6))
    assert step.describe().endswith("(now 2 to 6)")


@pytest.mark.parametrize(
    ("wanted", "missing", "whole"),
    [
        (Wanted(minimum=2), "--max is missing", "--min 2 --max 6"),
        (Wanted(minimum=9), "--max is missing", "--min 9 --max 9"),
        (Wanted(maximum=1), "--min is missing", "--min 1 --max 1"),
        (Wanted(maximum=40, cpu=60), "--min is missing", "--min 2 --max 40 --cpu 60"),
        (Wanted(cpu=60), "--min and --max are missing", "--min 2 --max 6 --cpu 60"),
        (
            Wanted(8, requests=500),
            "--min and --max are missing",
            "8 --min 2 --max 8 --requests 500",
        ),
    ],
)
def test_what_is_not_managed_yet_needs_both_limits(
    wanted: Wanted, missing: str, whole: str
) -> None:
    with pytest.raises(ConflictError) as caught:
        plan(wanted)
    assert caught.value.why == missing
    # What was typed stays; only what is missing is an example.
    assert caught.value.hint == f"give both: `schoolctl scale {whole}`"


@pytest.mark.parametrize(
    ("wanted", "given"), [(Wanted(minimum=7), "--min 7"), (Wanted(maximum=1), "--max 1")]
)
def test_a_limit_beyond_the_other_one_is_refused(wanted: Wanted, given: str) -> None:
    with pytest.raises(ConflictError) as caught:
        plan(wanted, SCALED)
    assert caught.value.what.startswith(f"{given} does not go with the limits")
    assert caught.value.what.endswith("2 to 6")


@pytest.mark.parametrize(
    ("desired", "notes"),
    [
        (1, ("the count is 1: auto scaling will set it to 2",)),
        (2, ()),
        (4, ()),
        (5, ("the count is 5: auto scaling will set it to 4",)),
    ],
)
def test_a_count_outside_of_the_new_limits_is_told_to_move(
    desired: int, notes: tuple[str, ...]
) -> None:
    assert plan(Wanted(minimum=2, maximum=4), SCALED, desired).notes == notes


def test_a_lower_limit_of_none_says_that_no_goal_brings_a_task_back() -> None:
    made = plan(Wanted(minimum=0), SCALED)
    assert made.notes == ("at 0 tasks there is nothing to measure: no goal brings a task back",)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(minimum=3, maximum=2),
        Wanted(1, minimum=2),
        Wanted(7, maximum=6),
        Wanted(minimum=2, ends=True),
        Wanted(cpu=60, ends=True),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(wanted: Wanted) -> None:
    with pytest.raises(UsageError):
        check_wanted(wanted)


# With a count


def test_a_count_is_set_after_its_limits() -> None:
    register, update, wait = plan(Wanted(9, maximum=10), SCALED).steps
    assert register == RegisterScalableTarget(
        "school", "web", ScalingRange(2, 10), ScalingRange(2, 6)
    )
    assert isinstance(update, UpdateService)
    assert update.request == {"desiredCount": 9}
    assert isinstance(wait, WaitForCount)


@pytest.mark.parametrize(
    ("wanted", "found", "undo"),
    [
        (Wanted(8, minimum=4, maximum=8), SCALED, "scale 2 --min 2 --max 6"),
        (Wanted(6, minimum=4), SCALED, "scale 2 --min 2"),
        (Wanted(8, maximum=8, cpu=70), SCALED, "scale 2 --max 6 --cpu 60"),
        (Wanted(4, cpu=60), SCALED, "scale 2"),
        (Wanted(8, minimum=4, maximum=8), NONE, "scale 2 --no-auto"),
        (Wanted(0, ends=True), SCALED, "scale 2 --min 2 --max 6 --cpu 60"),
        (Wanted(0, ends=True), NONE, "scale 2"),
        (Wanted(4, minimum=4), AutoScaling(ScalingRange(3, 6)), "scale 2 --min 2"),
    ],
)
def test_the_way_back_is_a_command_that_is_taken(
    wanted: Wanted, found: AutoScaling, undo: str
) -> None:
    wait = plan(wanted, found).steps[-1]
    assert isinstance(wait, WaitForCount)
    assert wait.undo == undo


def test_goals_that_change_beside_the_count_that_is_there_are_no_way_back() -> None:
    state = replace(service(deployment(state=COMPLETED), desired=2), running=1)
    *_, wait = plan_auto_scaling(state, Wanted(2, cpu=70), SCALED, DeployOptions()).steps
    assert isinstance(wait, WaitForCount)
    assert wait.undo == ""


@pytest.mark.parametrize(
    ("wanted", "what", "whole"),
    [
        (
            Wanted(1, maximum=8, cpu=60),
            "the count 1 of school/web is below the lower limit 2, which stays",
            "1 --min 1 --max 8 --cpu 60",
        ),
        (
            Wanted(9, minimum=3, requests=500),
            "the count 9 of school/web is above the upper limit 6, which stays",
            "9 --min 3 --max 9 --requests 500",
        ),
    ],
)
def test_a_count_outside_of_the_limit_that_stays_is_refused(
    wanted: Wanted, what: str, whole: str
) -> None:
    with pytest.raises(ConflictError) as caught:
        plan(wanted, SCALED)
    assert caught.value.what == what
    assert caught.value.hint == f"change that limit, too: `schoolctl scale {whole}`"


def test_the_summary_tells_of_no_count_that_does_not_change() -> None:
    made = plan(Wanted(2, minimum=2, maximum=6))
    assert made.summary == "let auto scaling keep school/web at 2 to 6 tasks."
    assert plan(Wanted(4, maximum=8), SCALED).summary.endswith(" scale web from 2 to 4 tasks.")


def test_a_plan_that_only_waits_says_so() -> None:
    state = replace(service(deployment(state=COMPLETED), desired=2), running=1)
    made = plan_auto_scaling(state, Wanted(2, minimum=2), SCALED, DeployOptions())
    assert made.summary == "wait until web runs 2 tasks."


def test_a_count_and_limits_that_there_are_already_are_nothing_to_do() -> None:
    assert plan(Wanted(2, minimum=2, maximum=6, cpu=60), SCALED).steps == ()


# Goals


def test_a_goal_is_a_policy_of_our_own_name() -> None:
    register, put = plan(Wanted(minimum=2, maximum=6, cpu=60)).steps
    assert isinstance(register, RegisterScalableTarget)
    policy = ScalingPolicy("schoolctl-cpu", Metric.CPU, 60.0)
    assert put == PutScalingPolicy("school", "web", policy)
    assert put.describe() == "scale by policy schoolctl-cpu: 60 % CPU"


def test_another_target_keeps_what_else_the_policy_says() -> None:
    [put] = plan(Wanted(cpu=70), SCALED).steps
    policy = ScalingPolicy("schoolctl-cpu", Metric.CPU, 70.0, settings={"ScaleInCooldown": 30})
    assert put == PutScalingPolicy("school", "web", policy, CPU)
    assert put.describe() == "scale by policy schoolctl-cpu: 70 % CPU (now 60 % CPU)"


def test_the_goal_that_there_is_already_is_nothing_to_do() -> None:
    made = plan(Wanted(cpu=60), SCALED)
    assert made.steps == ()
    assert made.nothing == "nothing to do: auto scaling keeps web at 2 to 6 tasks, 60 % CPU"


def test_requests_are_counted_at_the_target_group() -> None:
    [put] = plan(Wanted(requests=500), SCALED, of=group(BALANCER)).steps
    policy = ScalingPolicy("schoolctl-requests", Metric.REQUESTS, 500.0, LABEL)
    assert put == PutScalingPolicy("school", "web", policy)
    there = AutoScaling(ScalingRange(2, 6), (policy,))
    assert plan(Wanted(requests=500), there, of=group(BALANCER)).steps == ()


@pytest.mark.parametrize(
    "of",
    [
        None,
        group(),
        group(BALANCER, f"{BALANCER}2"),
        group(f"{ELB}:loadbalancer/net/school-nlb/778d"),
    ],
)
def test_requests_that_nothing_counts_are_no_goal(of: TargetGroup | None) -> None:
    with pytest.raises(ConflictError) as caught:
        plan(Wanted(requests=500), SCALED, of=of)
    assert caught.value.hint == "scale by --cpu"


def test_a_policy_of_somebody_else_with_that_metric_is_named() -> None:
    theirs = ScalingPolicy("terraform-cpu", Metric.CPU, 50.0)
    with pytest.raises(ConflictError) as caught:
        plan(Wanted(cpu=60), AutoScaling(ScalingRange(2, 6), (theirs,)))
    assert caught.value.what == "policy terraform-cpu of school/web keeps 50 % CPU already"
    assert "--policy-name terraform-cpu`" in caught.value.hint


# The end


def test_the_end_asks_and_names_the_policies_that_go() -> None:
    made = plan(Wanted(ends=True), SCALED)
    assert made.steps == (DeregisterScalableTarget("school", "web", ("schoolctl-cpu",)),)
    assert made.summary == "end auto scaling of school/web, and delete schoolctl-cpu."
    assert made.deletes
    assert made.notes == ("web stays at 2 tasks",)


def test_the_end_names_the_scheduled_actions_that_go() -> None:
    made = plan(Wanted(ends=True), replace(SCALED, scheduled=("evening", "morning")))
    assert made.summary == (
        "end auto scaling of school/web, and delete schoolctl-cpu, scheduled action evening,"
        " scheduled action morning."
    )
    _, note = made.notes
    assert note == (
        "AWS deletes 2 scheduled actions (evening, morning) with the limits: keep a copy of what"
        " you need again"
    )


def test_the_end_of_what_is_not_managed_is_nothing_to_do() -> None:
    made = plan(Wanted(ends=True))
    assert made.steps == ()
    assert made.nothing == "nothing to do: auto scaling does not manage web"
    assert not made.deletes


def test_a_count_outside_of_the_limits_is_set_once_they_are_gone() -> None:
    end, update, _ = plan(Wanted(0, ends=True), SCALED).steps
    assert isinstance(end, DeregisterScalableTarget)
    assert isinstance(update, UpdateService)
    assert update.request == {"desiredCount": 0}


# What is told


def test_each_policy_that_is_put_tells_all_targets_by_then() -> None:
    found = AutoScaling(ScalingRange(2, 6), (CPU, ScalingPolicy("steps")))
    assert targets_of(found) == {"schoolctl-cpu": 60.0, "steps": None}
    puts = plan(Wanted(cpu=70, requests=9), found, of=group(BALANCER)).steps
    assert [each.targets for each in puts if isinstance(each, PutScalingPolicy)] == [
        {"schoolctl-cpu": 70.0, "steps": None},
        {"schoolctl-cpu": 70.0, "schoolctl-requests": 9.0, "steps": None},
    ]
