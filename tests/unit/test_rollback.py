"""Where a rollback goes, by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schoolctl.errors import NotFoundError
from schoolctl.model import RolloutState
from schoolctl.plan.deploy import DeployOptions
from schoolctl.plan.rollback import Candidate, plan_rollback, rollback_target
from schoolctl.plan.steps import (
    MarkCompleted,
    Plan,
    RunTask,
    StopDeployment,
    UpdateService,
    WaitForRollout,
)
from schoolctl.plan.target import revision_target
from tests.unit.deploy_scenes import NOW, config, ref, revision, service
from tests.unit.scenes import deployment

IN_PROGRESS, COMPLETED, FAILED = RolloutState


def goes_to(running: int, **completed: float | None) -> tuple[int, bool]:
    """Give the target's number and whether it is proven; `r3=5` completed five minutes ago."""
    known = {int(name[1:]): minutes for name, minutes in completed.items()}
    found = rollback_target(
        [Candidate(revision(number, completed=at), True) for number, at in known.items()],
        revision(running, completed=known.get(running)),
    )
    return found.revision.ref.revision, found.proven


@pytest.mark.parametrize(
    ("running", "completed", "wanted"),
    [
        (2, {"r1": 9, "r2": 5}, 1),
        (3, {"r1": 9, "r2": 7, "r3": 5}, 2),
        (2, {"r1": 9, "r2": 7, "r3": 5}, 1),
        (3, {"r1": 9, "r2": None, "r3": 5}, 1),
        (4, {"r1": 9, "r2": 7, "r3": None, "r4": None}, 2),
        (3, {"r3": 5, "r4": 7, "r2": 9}, 4),
        (3, {"r1": 9, "r2": 1, "r3": 5}, 1),
    ],
    ids=[
        "the one before",
        "the newest of those before",
        "two rollbacks go back two, not forward again",
        "what never completed is passed over",
        "the running one may be the one that fails",
        "time counts, not the number",
        "what completed later is no way back",
    ],
)
def test_a_rollback_goes_to_the_newest_that_completed_before(
    running: int, completed: dict[str, float | None], wanted: int
) -> None:
    assert goes_to(running, **completed) == (wanted, True)


def test_where_nothing_is_proven_the_next_lower_one_is_named() -> None:
    assert goes_to(4, r1=None, r3=None, r4=None, r5=None) == (3, False)


def test_a_revision_whose_image_is_gone_is_passed_over() -> None:
    candidates = [
        Candidate(revision(1, completed=9), True),
        Candidate(revision(2, completed=7), False),
    ]
    assert rollback_target(candidates, revision(3, completed=5)).revision.ref == ref(1)


def test_an_image_that_nobody_here_knows_of_may_be_there() -> None:
    candidates = [Candidate(revision(1, completed=9), None)]
    assert rollback_target(candidates, revision(3)).proven


def test_an_inactive_revision_is_no_target() -> None:
    candidates = [
        Candidate(revision(1, completed=9), True),
        Candidate(revision(2, completed=7, active=False), True),
    ]
    assert rollback_target(candidates, revision(3, completed=5)).revision.ref == ref(1)


def test_a_failed_first_deployment_has_nothing_to_go_back_to() -> None:
    with pytest.raises(NotFoundError) as caught:
        rollback_target([], revision(1))
    assert "nothing to roll back to" in caught.value.what
    assert "`schoolctl scale 0`" in caught.value.hint


def test_images_that_are_gone_are_named_where_they_are_the_reason() -> None:
    with pytest.raises(NotFoundError) as caught:
        rollback_target([Candidate(revision(1, completed=9), False)], revision(2))
    assert caught.value.why == "the images of schoolapp-backend:1 are gone"


# The steps


def plan(
    to: int = 1,
    running: int = 2,
    *,
    moving: bool = False,
    proven: bool = True,
    wait: bool = True,
    extra: str = "",
) -> Plan:
    goal = revision(to, "a", completed=9 if proven else None, tags={"schoolctl:tag": "1.0"})
    now = revision(running, "b", tags={"schoolctl:tag": "1.1"})
    state = IN_PROGRESS if moving else COMPLETED
    found = service(deployment("ecs-svc/2", ref(running), state, running=2))
    return plan_rollback(
        config(extra),
        revision_target(goal, config(extra), now, image_exists=True),
        found,
        DeployOptions(wait=wait),
        NOW,
        proven=proven,
    )


def kinds(made: Plan) -> list[type]:
    return [type(step) for step in made.steps]


def test_a_rollback_updates_and_follows_and_names_both_revisions() -> None:
    made = plan()
    assert kinds(made) == [UpdateService, WaitForRollout]
    assert made.summary == (
        "roll schoolapp-backend back from schoolapp-backend:2 to schoolapp-backend:1 (1.0)."
    )
    assert made.notes == (
        "schoolapp-backend:1 (1.0) completed 9 m ago, before schoolapp-backend:2",
    )
    assert not made.asks


def test_no_release_command_runs() -> None:
    assert RunTask not in kinds(plan(extra="service: {release_command: [migrate]}"))


def test_a_rollback_changes_no_settings() -> None:
    [update] = [
        step
        for step in plan(extra="service: {deployment: {min_percent: 50}}").steps
        if isinstance(step, UpdateService)
    ]
    assert update.request == {}
    assert update.changes == ("image 1.1 -> 1.0",)


def test_a_deployment_in_progress_is_stopped_first() -> None:
    made = plan(moving=True)
    assert kinds(made) == [StopDeployment, UpdateService, WaitForRollout]


def test_what_is_not_proven_is_asked_about_and_marked_when_it_completes() -> None:
    made = plan(proven=False)
    assert made.asks
    assert kinds(made) == [UpdateService, WaitForRollout, MarkCompleted]
    assert "no rollout of schoolapp-backend:1" in made.notes[0]


def test_a_service_that_is_there_already_needs_nothing() -> None:
    made = plan(to=2, running=2)
    assert made.steps == ()
    assert made.nothing == ("nothing to do: schoolapp-backend is at schoolapp-backend:2 already")


def test_a_way_back_that_ecs_has_begun_is_followed_not_stopped() -> None:
    made = plan(to=2, running=2, moving=True)
    assert kinds(made) == [WaitForRollout]
    assert isinstance(made.steps[0], WaitForRollout)
    assert made.steps[0].deployment is not None
    assert plan(to=2, running=2, moving=True, wait=False).steps == ()


def test_without_waiting_nothing_is_followed() -> None:
    assert kinds(plan(wait=False)) == [UpdateService]


def test_a_running_revision_that_was_deleted_counts_as_not_completed() -> None:
    deleted = replace(revision(9), active=False, completed_at=None)
    found = rollback_target([Candidate(revision(8, completed=3), True)], deleted)
    assert found.revision.ref == ref(8)
