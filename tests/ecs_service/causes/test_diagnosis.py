"""Which of the things that are told of a task explains it; the wordings are in test_reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.ecs_service.causes.failure import culprit, diagnose, diagnose_event, diagnose_target
from tests.worlds.scenes import container, stopped

if TYPE_CHECKING:
    from schoolctl.model.services import Task

PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
TO_START = "TaskFailedToStart"


def never_started(reason: str) -> Task:
    return stopped(TO_START, reason, container(None))


def test_a_task_that_never_started_has_its_cause() -> None:
    found = diagnose(never_started(f"{PULL}failed to resolve ref registry/web:1.0: not found"))
    assert "not in the repository" in found.cause
    assert found.fix
    assert found.known


@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [
        (0, "ended by itself, with success"),
        (1, "exit code 1"),
        (3, "exit code 3"),
        (126, "not executable"),
        (127, "not in the image"),
        (134, "aborted"),
        (135, "SIGBUS"),
        (136, "SIGFPE"),
        (138, "signal 10"),
        (137, "SIGKILL"),
        (139, "SIGSEGV"),
        (143, "SIGTERM"),
    ],
)
def test_an_exit_code_has_its_cause(exit_code: int, cause: str) -> None:
    assert cause in diagnose(stopped(*_ESSENTIAL, container(exit_code))).cause


_ESSENTIAL = ("EssentialContainerExited", "Essential container in task exited")


def test_the_containers_own_reason_tells_more_than_its_exit_code() -> None:
    killed = container(137, reason="OutOfMemoryError: Container killed due to memory usage")
    assert diagnose(stopped(*_ESSENTIAL, killed)).fix == "raise `task.memory`"


def test_the_log_tells_more_than_an_exit_code() -> None:
    log = ["starting", "(1045, \"Access denied for user 'school'\")"]
    assert "refused the user" in diagnose(stopped(*_ESSENTIAL, container(1)), log=log).cause


def test_the_log_tells_more_than_a_failed_health_check() -> None:
    task = stopped("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)")
    log = ["(2003, \"Can't connect to MySQL server on 'db' (timed out)\")"]
    assert "cannot reach the database" in diagnose(task, log=log).cause
    assert "found the task unhealthy" in diagnose(task, log=["listening"]).cause


def test_the_log_tells_nothing_of_a_pull_that_failed() -> None:
    found = diagnose(never_started(f"{PULL}manifest unknown"), log=["No module named x"])
    assert "not in the repository" in found.cause


def test_the_log_of_a_task_that_ended_well_explains_nothing() -> None:
    found = diagnose(stopped(*_ESSENTIAL, container(0)), log=["No module named x (ignored)"])
    assert "with success" in found.cause


@pytest.mark.parametrize(
    "reason",
    [
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)",
        "service web (port 3000) is unhealthy in target-group x due to load balancer",
    ],
)
def test_health_checks_are_trouble_although_the_scheduler_stopped_the_task(reason: str) -> None:
    found = diagnose(stopped("ServiceSchedulerInitiated", reason, container(0)))
    assert "load balancer found the task unhealthy" in found.cause
    assert found.trouble


def test_a_task_that_the_rollout_replaced_is_no_trouble() -> None:
    reason = "Scaling activity initiated by (deployment ecs-svc/9223370537206000000)"
    assert not diagnose(stopped("ServiceSchedulerInitiated", reason, container(143))).trouble


@pytest.mark.parametrize("exit_code", [0, 143])
def test_a_task_that_the_scheduler_stopped_without_a_reason_is_no_trouble(exit_code: int) -> None:
    assert not diagnose(stopped("ServiceSchedulerInitiated", "", container(exit_code))).trouble


def test_a_replaced_task_that_had_to_be_killed_names_the_stop_timeout() -> None:
    found = diagnose(stopped("ServiceSchedulerInitiated", "", container(137)))
    assert not found.trouble
    assert "`task.stop_timeout`" in found.fix


def test_what_somebody_wrote_when_stopping_a_task_is_not_taken_for_ecs_s_words() -> None:
    found = diagnose(stopped("UserInitiated", "no capacity for this now", container(0)))
    assert found.cause == "somebody stopped the task: no capacity for this now"


def test_a_task_that_somebody_stopped_says_so() -> None:
    found = diagnose(stopped("UserInitiated", "testing", container(137)))
    assert found.cause == "somebody stopped the task: testing"


def test_an_unknown_reason_stands_as_ecs_gave_it() -> None:
    found = diagnose(never_started("Frobnication failed"))
    assert found.cause == "Frobnication failed"
    assert not found.known


def test_the_guilty_container_is_the_one_that_failed() -> None:
    task = stopped(*_ESSENTIAL, container(0), container(7, name="sidecar"))
    guilty = culprit(task, "web")
    assert guilty is not None
    assert guilty.name == "sidecar"


def test_among_equals_the_named_container_is_guilty() -> None:
    task = stopped(*_ESSENTIAL, container(1, name="sidecar"), container(1))
    guilty = culprit(task, "web")
    assert guilty is not None
    assert guilty.name == "web"


@pytest.mark.parametrize(
    "message",
    [
        "(service web) has reached a steady state.",
        "(service web) (deployment ecs-svc/1) deployment completed.",
        "(service web) has started 2 tasks: (task 1) (task 2).",
        "(service web) registered 1 targets in (target-group x)",
        "(service web) has begun draining connections on 1 tasks.",
    ],
)
def test_an_event_of_every_rollout_means_no_trouble(message: str) -> None:
    assert diagnose_event(message) is None


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("Target.ResponseCodeMismatch", True),
        ("Target.Timeout", True),
        ("Target.FailedHealthChecks", True),
        ("Target.NotInUse", True),
        ("Target.InvalidState", False),
        ("Target.DeregistrationInProgress", False),
        ("Elb.InitialHealthChecking", False),
        ("Elb.RegistrationInProgress", False),
        ("Target.SomethingNew", True),
        ("", False),
    ],
)
def test_a_targets_reason_is_trouble_or_a_matter_of_time(code: str, trouble: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert diagnose_target(code).trouble is trouble
