"""Verdicts on written sequences of DescribeServices answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.ecs_service.rollout.answers import History
from schoolctl.ecs_service.rollout.verdict import (
    ROLLBACK_WITHIN_SECONDS,
    STEADY_SECONDS,
    VISIBLE_WITHIN_SECONDS,
    Completed,
    Failed,
    Gone,
    RolledBack,
    ScaledToZero,
    Superseded,
    Verdict,
    judge,
)
from schoolctl.model.deployments import too_many_stops
from schoolctl.model.services import Deployment, RolloutState, ServiceState
from tests.worlds.scenes import (
    BREAKER_ALONE,
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    NEW,
    OLD,
    OTHER,
    deployment,
    old,
    service,
)

POLL_SECONDS = 2.0
STARTED = deployment()


def play(*answers: ServiceState | None, started: Deployment = STARTED) -> list[Verdict]:
    """Give the verdict after each answer, the answers being two seconds apart."""
    history = History()
    verdicts = []
    for number, answer in enumerate(answers):
        elapsed = number * POLL_SECONDS
        history = history.after(answer, started, elapsed)
        verdicts.append(judge(answer, started, history, elapsed))
    return verdicts


def names(verdicts: list[Verdict]) -> list[str]:
    return [type(each).__name__ for each in verdicts]


def test_a_healthy_rollout_completes_only_at_its_end() -> None:
    verdicts = play(
        service(deployment(pending=2), old()),
        service(deployment(running=2), old(desired=0)),
        service(deployment(running=2, state=IN_PROGRESS), old(desired=0, running=1)),
        service(deployment(running=2, state=COMPLETED)),
    )
    assert names(verdicts) == ["InProgress", "InProgress", "InProgress", "Completed"]
    assert verdicts[-1] == Completed(running=2, desired=2)


def test_all_tasks_running_is_not_completed() -> None:
    """The state of the old waiter's lie: one deployment, every task up, not COMPLETED."""
    assert names(play(service(deployment(running=2)))) == ["InProgress"]


def test_completed_with_a_task_missing_is_not_decided() -> None:
    assert names(play(service(deployment(running=1, state=COMPLETED)))) == ["InProgress"]


def test_the_circuit_breaker_rolls_back_with_a_new_deployment() -> None:
    """As AWS does it: the way back has an id of its own, and ours drains and vanishes."""
    failed = deployment(state=FAILED, failed=3, status="ACTIVE", reason="tasks failed to start.")
    back = deployment(
        "ecs-svc/back",
        OLD,
        created=60,
        running=2,
        reason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/old.",
    )
    verdicts = play(
        service(deployment(failed=2), old()),
        service(deployment(state=FAILED, failed=3, reason="tasks failed to start."), old()),
        service(back, failed, old()),
        service(deployment("ecs-svc/back", OLD, COMPLETED, created=60, running=2)),
    )
    assert names(verdicts) == ["InProgress", "InProgress", "RolledBack", "RolledBack"]
    assert verdicts[2] == RolledBack("tasks failed to start.", OLD, finished=False)
    assert verdicts[3] == RolledBack("tasks failed to start.", OLD, finished=True)


def test_the_circuit_breaker_rolls_back_by_making_the_old_deployment_primary() -> None:
    """As the emulator does it: the old id is PRIMARY again, ours stays listed as ACTIVE."""
    failed = deployment(state=FAILED, failed=3, status="ACTIVE", reason="3 task failures.")
    verdicts = play(
        service(deployment(failed=2), old()),
        service(failed, old(IN_PROGRESS, status="PRIMARY")),
        service(failed, old(COMPLETED, status="PRIMARY")),
    )
    assert verdicts[1:] == [
        RolledBack("3 task failures.", OLD, finished=False),
        RolledBack("3 task failures.", OLD, finished=True),
    ]


def test_a_rollback_is_recognised_when_our_deployment_is_no_longer_listed() -> None:
    event = "(service web) (deployment ecs-svc/new) deployment failed: tasks failed to start."
    back = deployment("ecs-svc/back", OLD, COMPLETED, created=60, running=2)
    verdicts = play(service(deployment(), old()), service(back, events=(event,)))
    assert verdicts[-1] == RolledBack(event, OLD, finished=True)


def test_a_rollback_to_the_same_revision_is_a_rollback() -> None:
    """`--force` with one revision: the revision alone would look like success."""
    failed = deployment(state=FAILED, status="ACTIVE", reason="tasks failed to start.")
    again = old(COMPLETED, status="PRIMARY")
    again = deployment("ecs-svc/old", NEW, COMPLETED, running=2, created=-3600)
    assert names(play(service(deployment(), again), service(failed, again)))[-1] == "RolledBack"


def test_a_breaker_without_rollback_fails_and_names_what_still_runs() -> None:
    failed = deployment(state=FAILED, failed=3, reason="tasks failed to start.")
    verdicts = play(
        service(deployment(failed=2), old(), configuration=BREAKER_ALONE),
        service(failed, old(), configuration=BREAKER_ALONE),
    )
    assert verdicts[-1] == Failed("tasks failed to start.", (OLD,))


def test_a_first_deployment_fails_at_once_as_there_is_nothing_to_go_back_to() -> None:
    verdicts = play(service(deployment(failed=2)), service(deployment(state=FAILED, failed=3)))
    assert verdicts[-1] == Failed("", (), first=True)


def test_a_failed_deployment_is_given_time_to_begin_its_way_back() -> None:
    polls = int(ROLLBACK_WITHIN_SECONDS / POLL_SECONDS) + 3
    verdicts = play(*[service(deployment(state=FAILED), old())] * polls)
    assert names(verdicts[:7]) == ["InProgress"] * 7
    assert names(verdicts)[-1] == "Failed"


def test_another_deployment_supersedes_ours() -> None:
    newer = deployment("ecs-svc/other", OTHER, created=30, pending=2)
    ours = deployment(status="ACTIVE", running=1)
    verdicts = play(service(deployment(running=1), old()), service(newer, ours, old()))
    assert verdicts[-1] == Superseded(
        "another deployment (ecs-svc/other) was started before this one was decided", newer
    )


def test_a_deployment_that_replaced_ours_after_it_failed_is_no_rollback() -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason="tasks failed to start.")
    fix = deployment("ecs-svc/fix", OTHER, created=90, pending=2)
    verdicts = play(
        service(deployment(state=FAILED, reason="tasks failed to start."), old()),
        service(fix, failed, old()),
    )
    assert verdicts[-1] == Failed("tasks failed to start.", (OLD,), replaced_by=OTHER)


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_being_deleted_is_gone(status: str) -> None:
    verdicts = play(service(deployment(), old()), service(deployment(), status=status))
    assert names(verdicts) == ["InProgress", "Gone"]


def test_a_service_that_vanished_is_gone() -> None:
    polls = int(VISIBLE_WITHIN_SECONDS / POLL_SECONDS)
    assert names(play(*[service(deployment())] * polls, None)) == ["InProgress"] * polls + ["Gone"]


def test_a_service_that_is_not_visible_yet_is_waited_for() -> None:
    polls = int(VISIBLE_WITHIN_SECONDS / POLL_SECONDS) + 1
    verdicts = play(*[None] * polls)
    assert names(verdicts) == ["InProgress"] * (polls - 1) + ["Gone"]
    assert isinstance(verdicts[-1], Gone)


def test_an_answer_from_before_our_update_decides_nothing() -> None:
    stale = service(old(status="PRIMARY"))
    verdicts = play(stale, stale, service(deployment(running=2, state=COMPLETED)))
    assert names(verdicts) == ["InProgress", "InProgress", "Completed"]


def test_an_older_answer_after_a_newer_one_decides_nothing() -> None:
    """Answers may come from copies that are not yet level: ours is seen, and once more not."""
    fresh, stale = service(deployment(), old()), service(old(status="PRIMARY"))
    verdicts = play(None, fresh, stale, None, service(deployment(running=2, state=COMPLETED)))
    assert names(verdicts) == [*["InProgress"] * 4, "Completed"]


def test_our_deployment_replaced_by_the_one_before_it_was_rolled_back() -> None:
    polls = int(VISIBLE_WITHIN_SECONDS / POLL_SECONDS)
    verdicts = play(*[service(deployment(), old())] * polls, service(old(status="PRIMARY")))
    assert names(verdicts)[-1] == "RolledBack"


def test_a_service_scaled_to_zero_meanwhile_proves_nothing() -> None:
    verdicts = play(
        service(deployment(pending=1), old()),
        service(deployment(desired=0, state=COMPLETED), desired=0),
    )
    assert verdicts[-1] == ScaledToZero(
        "the desired count was set to 0 while the rollout was under way: no task runs",
        from_start=False,
    )


def test_a_service_of_no_tasks_proves_nothing_from_the_start() -> None:
    verdicts = play(service(deployment(desired=0, state=COMPLETED), desired=0))
    assert verdicts == [
        ScaledToZero("the desired count is 0: no task runs", from_start=True),
    ]


def test_a_task_that_is_never_placed_is_never_decided() -> None:
    unplaced = service(deployment(), old(), events=("(service web) was unable to place a task",))
    assert set(names(play(*[unplaced] * 50))) == {"InProgress"}


def test_a_flapping_task_without_a_breaker_is_never_decided() -> None:
    up = service(deployment(running=1, failed=0), old(), configuration={})
    down = service(deployment(pending=1, failed=9), old(), configuration={})
    assert set(names(play(*[up, down] * 30))) == {"InProgress"}


def test_a_missing_image_fails_as_any_task_that_does_not_start() -> None:
    reason = "ECS deployment circuit breaker: tasks failed to start."
    verdicts = play(
        service(deployment(pending=2)),
        service(deployment(failed=1, pending=1)),
        service(deployment(state=FAILED, failed=3, reason=reason)),
    )
    assert verdicts[-1] == Failed(reason, (), first=True)


def test_completed_said_before_the_tasks_run_counts_once_they_have_stayed_up() -> None:
    """The emulator says COMPLETED of a service's first deployment from its beginning."""
    early = service(deployment(state=COMPLETED))
    up = service(deployment(state=COMPLETED, running=2))
    polls = int(STEADY_SECONDS / POLL_SECONDS) + 1
    assert names(play(early, *[up] * polls)) == ["InProgress"] * polls + ["Completed"]


def test_completed_in_the_answer_that_started_it_counts_once_the_tasks_have_stayed_up() -> None:
    up = service(deployment(state=COMPLETED, running=2))
    verdicts = play(*[up] * 4, started=deployment(state=COMPLETED))
    assert names(verdicts) == ["InProgress", "InProgress", "InProgress", "Completed"]


def test_a_completed_deployment_whose_tasks_keep_stopping_has_failed() -> None:
    """Crash after health: ECS no longer counts the failures, so nobody else would tell."""
    history = History()
    verdicts = []
    for number, running in enumerate([2, 1, 2, 1]):
        answer = service(deployment(state=COMPLETED, running=running))
        elapsed = number * POLL_SECONDS
        history = history.after(answer, STARTED, elapsed).with_stops(number, elapsed)
        verdicts.append(judge(answer, STARTED, history, elapsed))
    assert names(verdicts) == ["Completed", "InProgress", "InProgress", "Failed"]


@pytest.mark.parametrize(("desired", "stops"), [(1, 3), (6, 3), (7, 4), (50, 25), (1000, 200)])
def test_too_many_stops_is_the_circuit_breakers_threshold(desired: int, stops: int) -> None:
    assert too_many_stops(desired) == stops


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (service(deployment(state=None, running=2)), "Completed"),
        (service(deployment(state=None, running=2, pending=1)), "InProgress"),
        (service(deployment(state=None, running=2), old(None)), "InProgress"),
        (service(deployment(state=None, running=1)), "InProgress"),
    ],
    ids=["alone and all up", "one pending", "old tasks left", "one missing"],
)
def test_without_a_rollout_state_only_a_service_of_our_tasks_alone_is_complete(
    answer: ServiceState, expected: str
) -> None:
    assert names(play(answer)) == [expected]


def _any_deployment(id_: str) -> st.SearchStrategy[Deployment]:
    return st.builds(
        deployment,
        st.just(id_),
        st.sampled_from([OLD, NEW, OTHER]),
        st.sampled_from([*RolloutState, None]),
        status=st.sampled_from(["PRIMARY", "ACTIVE", "INACTIVE"]),
        desired=st.integers(0, 3),
        running=st.integers(0, 3),
        pending=st.integers(0, 3),
        created=st.integers(-100, 100),
        reason=st.sampled_from(["", "rolling back to ecs-svc/old", "tasks failed to start."]),
    )


_ANY_ANSWER = st.none() | st.builds(
    lambda ours, other, desired: service(*ours, *other, desired=desired),
    st.lists(_any_deployment("ecs-svc/new"), max_size=1),
    st.lists(_any_deployment("ecs-svc/other"), max_size=1),
    st.integers(0, 3),
)


@given(st.lists(_ANY_ANSWER, min_size=1, max_size=6))
def test_completed_is_said_only_of_our_own_primary_deployment(
    answers: list[ServiceState | None],
) -> None:
    for answer, verdict in zip(answers, play(*answers), strict=True):
        if isinstance(verdict, Completed):
            assert answer is not None
            primary = answer.primary
            assert primary is not None
            assert primary.id == STARTED.id
            assert primary.rollout_state in {COMPLETED, None}
            assert primary.running >= answer.desired > 0


@given(st.lists(_ANY_ANSWER, min_size=1, max_size=6))
def test_a_failed_deployment_of_ours_is_never_called_superseded(
    answers: list[ServiceState | None],
) -> None:
    failed = False
    for answer, verdict in zip(answers, play(*answers), strict=True):
        listed = answer.deployments if answer else ()
        failed = failed or any(
            each.id == STARTED.id and each.rollout_state is FAILED for each in listed
        )
        assert not (failed and isinstance(verdict, Superseded))
