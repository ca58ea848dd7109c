"""Another number of tasks, and new tasks for old ones: the plan, and when it is reached."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import BusyError, ConflictError, ExitCode
from schoolctl.ecs_service.define.plan import DeployOptions
from schoolctl.ecs_service.scale.rules import (
    count_failure,
    count_progress,
    count_reached,
    plan_restart,
    plan_scale,
)
from schoolctl.ecs_service.steps.scaling import WaitForCount
from schoolctl.ecs_service.steps.service import MarkCompleted, UpdateService, WaitForRollout
from schoolctl.model.services import ScalingRange
from schoolctl.model.surroundings import TargetHealth
from tests.worlds.deploy_scenes import revision
from tests.worlds.scenes import COMPLETED, IN_PROGRESS, NEW, at, deployment, old, service

if TYPE_CHECKING:
    from schoolctl.model.services import Deployment, ServiceState

WAIT = DeployOptions()
LEAVE = DeployOptions(wait=False)
STEP = WaitForCount("school", "web", 4, 60, undo="scale 2")
STEADY = deployment(state=COMPLETED)


def target(state: str, group: str = "tg") -> TargetHealth:
    return TargetHealth(group, "10.0.0.7", 3000, state, "", "")


def state(
    *deployments: Deployment, desired: int = 2, running: int = 2, pending: int = 0
) -> ServiceState:
    found = service(*deployments, desired=desired)
    return replace(found, running=running, pending=pending)


# The count


def test_another_count_is_set_and_waited_for_without_a_new_deployment() -> None:
    made = plan_scale(state(STEADY), 4, None, WAIT)
    update, wait = made.steps
    assert isinstance(update, UpdateService)
    assert update.request == {"desiredCount": 4}
    assert update.running == update.task_definition == NEW
    assert not update.force
    assert wait == WaitForCount("school", "web", 4, 1200, undo="scale 2")
    assert not made.asks


def test_the_count_that_is_there_is_nothing_to_do() -> None:
    made = plan_scale(state(STEADY), 2, None, WAIT)
    assert made.steps == ()
    assert made.nothing == "nothing to do: web runs 2 of 2 tasks"


def test_a_count_that_was_set_and_is_not_there_yet_is_waited_for() -> None:
    made = plan_scale(state(STEADY, running=1, pending=1), 2, None, WAIT)
    assert [type(each) for each in made.steps] == [WaitForCount]
    assert made.summary == "wait until web runs 2 tasks."
    assert plan_scale(state(STEADY, running=1), 2, None, LEAVE).steps == ()


def test_none_at_all_asks_and_says_what_it_means() -> None:
    made = plan_scale(state(STEADY), 0, None, WAIT)
    assert made.asks
    assert made.notes == ("no task of web will run: nobody is served until it is scaled up again",)


def test_a_count_outside_of_what_auto_scaling_keeps_is_refused() -> None:
    with pytest.raises(ConflictError) as caught:
        plan_scale(state(STEADY), 9, ScalingRange(2, 6), WAIT)
    assert caught.value.what == "auto scaling keeps school/web at 2 to 6 tasks, not at 9"
    assert caught.value.hint.endswith("`schoolctl scale 9 --max 9`")
    with pytest.raises(ConflictError) as caught:
        plan_scale(state(STEADY), 0, ScalingRange(2, 6), WAIT)
    assert caught.value.hint.endswith("`schoolctl scale 0 --min 0`")


@pytest.mark.parametrize("wanted", [2, 6])
def test_a_count_within_it_is_set_with_a_warning(wanted: int) -> None:
    made = plan_scale(state(STEADY), wanted, ScalingRange(2, 6), LEAVE)
    assert made.warnings == ("auto scaling manages the count (2 to 6), and may change it again",)


# Whether it is reached


@pytest.mark.parametrize(
    ("running", "pending", "targets", "said"),
    [
        (4, 0, None, "4 of 4 running"),
        (4, 0, (), None),
        (4, 0, (target("healthy"),) * 4, "4 of 4 running, 4 targets healthy"),
        (4, 0, (target("healthy"),) * 4 + (target("draining"),), "4 of 4 running, 4 targets"),
        (4, 0, (target("unused"),) * 4, "4 of 4 running"),
        (3, 1, None, None),
        (5, 0, None, None),
        (4, 1, None, None),
        (4, 0, (target("healthy"), target("initial")) * 2, None),
        (4, 0, (*(target("healthy"),) * 4, target("healthy", "other")), None),
    ],
)
def test_a_count_is_reached_when_just_so_many_run_and_are_healthy(
    running: int, pending: int, targets: tuple[TargetHealth, ...] | None, said: str | None
) -> None:
    found = state(STEADY, desired=4, running=running, pending=pending)
    told = count_reached(found, 4, targets)
    assert (told or "").startswith(said or "")
    assert (told is None) is (said is None)


def test_no_task_at_all_is_a_count_like_any() -> None:
    found = state(STEADY, desired=0, running=0)
    assert count_reached(found, 0, (target("draining"),)) == "0 of 0 running"


def test_the_line_shows_tasks_and_targets() -> None:
    found = state(STEADY, desired=4, running=2, pending=2)
    assert count_progress(found, 4, (target("healthy"), target("initial"))) == [
        "  web:7: 2 of 4 running, 2 pending, 1 of 4 targets healthy"
    ]


def test_a_count_that_somebody_changed_meanwhile_is_no_success() -> None:
    found = state(STEADY, desired=3, running=3)
    error = count_failure(found, STEP, stops=0, seconds=5, report=None)
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what == "somebody else set school/web to 3 tasks meanwhile"


def test_a_service_that_is_gone_is_no_success() -> None:
    error = count_failure(None, STEP, stops=0, seconds=5, report=None)
    assert error.exit_code is ExitCode.ROLLOUT


def test_the_limit_says_how_far_it_came_and_that_ecs_goes_on() -> None:
    found = state(STEADY, desired=4, running=3)
    error = count_failure(found, STEP, stops=0, seconds=60, report=None)
    assert error.exit_code is ExitCode.TIMED_OUT
    assert error.what == "only 3 of 4 tasks of school/web run after 1 m"
    assert "undo it with `schoolctl scale 2`" in error.hint


def test_a_count_that_did_not_change_is_watched_and_not_undone() -> None:
    [wait] = plan_scale(state(STEADY, running=1), 2, None, WAIT).steps
    assert isinstance(wait, WaitForCount)
    assert wait.undo == ""
    found = state(STEADY, running=1)
    error = count_failure(found, wait, stops=0, seconds=60, report=None)
    assert error.hint == "ECS goes on: watch it with `schoolctl status`"


def test_a_count_that_auto_scaling_would_refuse_is_no_way_back() -> None:
    wait = plan_scale(state(STEADY), 4, ScalingRange(3, 6), WAIT).steps[-1]
    assert isinstance(wait, WaitForCount)
    assert wait.undo == ""


def test_tasks_that_stop_again_and_again_are_a_failure() -> None:
    found = state(STEADY, desired=4)
    error = count_failure(found, STEP, stops=3, seconds=30, report=None)
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.why == "3 new tasks stopped"


# Restarting


def test_a_restart_forces_a_deployment_of_the_same_revision_and_follows_it() -> None:
    update, wait, *rest = plan_restart(state(STEADY), None, WAIT, at(100)).steps
    assert isinstance(update, UpdateService)
    assert update.force
    assert update.running == update.task_definition == NEW
    assert isinstance(wait, WaitForRollout)
    assert rest == []


def test_a_restart_marks_a_revision_that_never_completed() -> None:
    made = plan_restart(state(STEADY), revision(7), WAIT, at(100))
    assert isinstance(made.steps[-1], MarkCompleted)
    proven = plan_restart(state(STEADY), revision(7, completed=5), WAIT, at(100))
    assert isinstance(proven.steps[-1], WaitForRollout)


def test_a_restart_that_was_interrupted_is_followed() -> None:
    moving = deployment(state=IN_PROGRESS)
    made = plan_restart(state(moving, old()), None, WAIT, at(100))
    [wait] = made.steps
    assert isinstance(wait, WaitForRollout)
    assert wait.deployment == moving
    assert made.notes == ("new tasks of web:7 are being started already, 1 m 40 s ago",)
    assert plan_restart(state(moving), None, LEAVE, at(100)).steps == ()


def test_a_restart_beside_another_deployment_is_refused() -> None:
    moving = old(IN_PROGRESS, status="ACTIVE")
    with pytest.raises(BusyError):
        plan_restart(state(STEADY, moving), None, WAIT, at(100))


def test_a_service_of_no_tasks_has_nothing_to_restart() -> None:
    made = plan_restart(state(STEADY, desired=0, running=0), None, WAIT, at(100))
    assert made.steps == ()
    assert "desired count of web is 0" in made.nothing
