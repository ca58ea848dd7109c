"""What a rollout under way looks like, what its settings mean, and where its time went."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.ecs_service.rollout.native import HOOKS, STAGES, STATUSES, match, stage
from schoolctl.ecs_service.rollout.progress import Look, Trace, heartbeat, progress
from schoolctl.model.deployments import (
    HookStatus,
    LifecycleHook,
    LifecycleStage,
    RevisionShare,
    ServiceDeployment,
    ServiceDeploymentBrief,
    ServiceDeploymentStatus,
    enough_running,
    failure_threshold,
)
from schoolctl.model.surroundings import TargetHealth
from tests.worlds.scenes import NEW, OLD, at, deployment, old, service, stopped

if TYPE_CHECKING:
    from schoolctl.model.services import Task

STARTED = deployment()
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"


def task(id_: str, address: str, **times: Any) -> Task:
    """Give a task of ours that runs."""
    made = stopped(id_=id_)
    return replace(made, last_status="RUNNING", address=address, stopped_at=None, **times)


def target(address: str, state: str, reason: str = "") -> TargetHealth:
    return TargetHealth("school-tg", address, 3000, state, reason, "")


def breaker(kind: str | None = None, value: int | None = None, **more: Any) -> dict[str, Any]:
    threshold = {"type": kind, "value": value} if kind else None
    settings = {"enable": True, "rollback": True, **more}
    if threshold:
        settings["thresholdConfiguration"] = threshold
    return {"deploymentCircuitBreaker": settings}


@pytest.mark.parametrize(
    ("configuration", "desired", "threshold"),
    [
        (breaker(), 2, 3),
        (breaker(), 10, 5),
        (breaker(), 1000, 200),
        (breaker("COUNT", 7), 100, 7),
        (breaker("BOUNDED_PERCENT", 25), 100, 25),
        (breaker("BOUNDED_PERCENT", 25), 2, 3),
        (breaker("UNBOUNDED_PERCENT", 50), 2, 1),
        (breaker("UNBOUNDED_PERCENT", 50), 1000, 500),
        (breaker(enable=False), 2, None),
        ({}, 2, None),
    ],
)
def test_the_circuit_breakers_threshold_is_the_configured_one(
    configuration: dict[str, Any], desired: int, threshold: int | None
) -> None:
    found = failure_threshold(service(STARTED, desired=desired, configuration=configuration))
    assert found == threshold


def test_early_success_is_enough_for_completion() -> None:
    early = {"earlySuccessCriteria": {"enable": True, "healthyPercent": 75}}
    assert enough_running(service(STARTED, desired=10, configuration=early)) == 8
    assert enough_running(service(STARTED, desired=10)) == 10


def test_the_view_has_counts_failures_and_the_health_of_our_targets() -> None:
    state = service(deployment(running=1, pending=1, failed=2), old(), target_groups=(GROUP,))
    look = Look(
        state,
        alive=(task("a", "10.0.0.1"), task("b", "10.0.0.2")),
        targets=(
            target("10.0.0.1", "healthy"),
            target("10.0.0.2", "unhealthy", "Target.Timeout"),
            target("10.0.0.9", "healthy"),
        ),
    )
    assert progress(look, STARTED, {"10.0.0.2": 12.0}) == [
        "  web:7 (new): 1 of 2 running, 1 pending, 2 failed (the circuit breaker ends it at 3)",
        "  web:6 (old): 2 of 2 running",
        "  targets: 1 healthy, 1 unhealthy",
        "  target 10.0.0.2:3000 stays unhealthy: the health check gets no answer in time",
    ]
    assert len(progress(look, STARTED, {"10.0.0.2": 3.0})) == 3


def test_a_heartbeat_tells_how_long_and_what_is_missing() -> None:
    lines = progress(Look(service(deployment(running=1))), STARTED, {})
    assert heartbeat(lines, "", 60) == "  still waiting after 1 m: web:7 (new): 1 of 2 running"


def test_the_time_is_that_of_the_slowest_task_and_of_what_was_told() -> None:
    state = service(deployment(running=2), old(), target_groups=(GROUP,))
    fast = task("a", "10.0.0.1", created_at=at(0), pull_started_at=at(4), pull_stopped_at=at(6))
    slow = task("b", "10.0.0.2", created_at=at(0), pull_started_at=at(5), pull_stopped_at=at(17))
    fast, slow = replace(fast, started_at=at(8)), replace(slow, started_at=at(18))
    drained = replace(
        stopped(id_="c", ref=OLD, started_by="ecs-svc/old"), stopping_at=at(40), stopped_at=at(75)
    )
    waiting = Look(state, alive=(fast, slow), targets=(target("10.0.0.1", "initial"),))
    healthy = replace(
        waiting,
        targets=(target("10.0.0.1", "healthy"), target("10.0.0.2", "healthy")),
        stopped=(drained,),
    )
    trace = Trace().after(waiting, STARTED, 20).after(healthy, STARTED, 50)
    trace = trace.after(healthy, STARTED, 90)
    assert trace.line() == (
        "where the time went (slowest task): place 5 s, pull 12 s, start 2 s, health 30 s,"
        " drain 35 s"
    )
    assert trace.document() == {
        "place_seconds": 5.0,
        "pull_seconds": 12.0,
        "start_seconds": 2.0,
        "health_seconds": 30.0,
        "drain_seconds": 35.0,
    }


def test_times_that_nobody_told_are_left_out() -> None:
    state = service(deployment(running=1))
    trace = Trace().after(Look(state, alive=(task("a", ""),)), STARTED, 3)
    assert trace.document() == {}
    assert trace.line() == ""


def test_a_task_that_stopped_before_this_rollout_did_not_drain_in_it() -> None:
    before = replace(stopped(started_by="ecs-svc/old"), stopping_at=at(-60), stopped_at=at(-30))
    trace = Trace().after(Look(service(STARTED), stopped=(before,)), STARTED, 3)
    assert trace.document() == {}


# ECS's own record


def record(**values: Any) -> ServiceDeployment:
    values = {"status": ServiceDeploymentStatus.IN_PROGRESS, **values}
    return ServiceDeployment(
        arn="arn:record",
        reason="",
        created_at=at(0),
        started_at=None,
        finished_at=None,
        stopped_at=None,
        target=RevisionShare("arn:revision", 2, 1, 0, production_weight=10.0),
        **values,
    )


def test_every_status_stage_and_hook_has_its_words() -> None:
    assert set(STATUSES) == set(ServiceDeploymentStatus)
    assert set(STAGES) == set(LifecycleStage)
    assert set(HOOKS) == set(HookStatus)


def test_a_pause_says_who_has_to_do_what_until_when() -> None:
    hook = LifecycleHook("h-1", "PAUSE", "", HookStatus.AWAITING_ACTION, at(0), "ROLLBACK")
    said = stage(record(stage=LifecycleStage.POST_TEST_TRAFFIC_SHIFT, hooks=(hook,)))
    assert said.startswith("the new tasks get the test traffic, the old ones all other; hook h-1")
    assert "aws ecs continue-service-deployment --service-deployment-arn arn:record" in said
    assert said.endswith("ECS goes back by itself")


def test_a_traffic_shift_says_how_far_it_is() -> None:
    said = stage(record(stage=LifecycleStage.PRODUCTION_TRAFFIC_SHIFT))
    assert said == "production traffic is moving to the new tasks; 10 % of it so far"


def test_our_record_is_that_of_our_revision_nearest_in_time() -> None:
    def brief(arn: str, seconds: float, ref: Any = NEW) -> ServiceDeploymentBrief:
        done = ServiceDeploymentStatus.SUCCESSFUL
        return ServiceDeploymentBrief(arn, done, "", at(seconds), None, None, "", ref)

    records = [
        brief("late", 50),
        brief("ours", 1),
        brief("other", 0, OLD),
        brief("unknown", 0, None),
    ]
    found = match(STARTED, records)
    assert found is not None
    assert found.arn == "ours"
    assert match(STARTED, [brief("long ago", -3600)]) is None


def test_the_record_of_an_earlier_deployment_of_our_revision_is_not_ours() -> None:
    def brief(created: float, finished: float | None) -> ServiceDeploymentBrief:
        ended = None if finished is None else at(finished)
        status = ServiceDeploymentStatus.STOPPED
        return ServiceDeploymentBrief("arn:a", status, "", at(created), None, ended, "", NEW)

    assert match(STARTED, [brief(-30, 0)]) is None
    assert match(STARTED, [brief(-4, -1)]) is None
    assert match(STARTED, [brief(-1, None)]) is not None
