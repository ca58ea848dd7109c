"""Where a rollback goes, by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import NotFoundError
from schoolctl.ecs_service.define.plan import DeployOptions
from schoolctl.ecs_service.define.target import revision_target
from schoolctl.ecs_service.rollout.rollback import (
    Candidate,
    Completions,
    plan_rollback,
    rollback_target,
    with_completion,
)
from schoolctl.ecs_service.steps.service import (
    MarkCompleted,
    StopDeployment,
    UpdateService,
    WaitForRollout,
)
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.services import Revision, RolloutState
from tests.worlds.deploy_scenes import NOW, config, ref, revision, service
from tests.worlds.scenes import deployment

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan

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


@pytest.mark.parametrize(
    ("revisions", "wanted", "passed_over"),
    [
        ((revision(1, completed=9, again=5), revision(2, completed=7)), 1, [2]),
        ((revision(1, completed=9, again=5), revision(2, completed=7, again=3)), 2, []),
        (
            (revision(1, completed=9, again=4), revision(2, completed=8), revision(3, completed=6)),
            1,
            [3, 2],
        ),
        (
            (revision(1, completed=9), revision(2, completed=8, again=4), revision(3, completed=6)),
            2,
            [3],
        ),
    ],
    ids=["back from 2", "back from 2, and to it again", "back from 3 over 2", "back from 3 to 2"],
)
def test_what_the_service_was_brought_back_from_is_passed_over(
    revisions: tuple[Revision, ...], wanted: int, passed_over: list[int]
) -> None:
    found = rollback_target([Candidate(each, None) for each in revisions], revision(4, completed=1))
    assert (found.revision.ref, found.proven) == (ref(wanted), True)
    assert [each.ref for each in found.passed_over] == [ref(number) for number in passed_over]


def test_what_was_left_behind_is_better_than_nothing() -> None:
    candidates = [
        Candidate(revision(1, completed=9, again=5), False),
        Candidate(revision(2, completed=7), True),
    ]
    assert rollback_target(candidates, revision(3, completed=1)).revision.ref == ref(2)


def test_times_that_ecs_remembers_are_those_of_a_revision_without_marks() -> None:
    bare, marked = revision(1), revision(1, completed=9)
    told = {ref(1): Completions(NOW - timedelta(minutes=8), NOW - timedelta(minutes=3))}
    assert with_completion(bare, told) == revision(1, completed=8, again=3)
    assert with_completion(marked, told) == revision(1, completed=9, again=3)
    once = {ref(1): Completions(NOW - timedelta(minutes=10), NOW - timedelta(minutes=10))}
    assert with_completion(marked, once) == marked
    assert with_completion(bare, {}) == bare


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
    assert kinds(made) == [UpdateService, WaitForRollout, MarkCompleted]
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
    assert kinds(made) == [StopDeployment, UpdateService, WaitForRollout, MarkCompleted]


def test_a_target_that_completed_before_is_marked_as_completed_again() -> None:
    assert plan().steps[-1] == MarkCompleted(ref(1), again=True)


def test_what_is_not_proven_is_asked_about_and_marked_when_it_completes() -> None:
    made = plan(proven=False)
    assert made.asks
    assert made.steps[-1] == MarkCompleted(ref(1))
    assert "no rollout of schoolapp-backend:1" in made.notes[0]


def test_a_service_that_is_there_already_needs_nothing() -> None:
    made = plan(to=2, running=2)
    assert made.steps == ()
    assert made.nothing == ("nothing to do: schoolapp-backend is at schoolapp-backend:2 already")


def test_a_way_back_that_ecs_has_begun_is_followed_not_stopped() -> None:
    made = plan(to=2, running=2, moving=True)
    assert kinds(made) == [WaitForRollout, MarkCompleted]
    assert isinstance(made.steps[0], WaitForRollout)
    assert made.steps[0].deployment is not None
    assert plan(to=2, running=2, moving=True, wait=False).steps == ()


def test_without_waiting_nothing_is_followed() -> None:
    assert kinds(plan(wait=False)) == [UpdateService]


def test_a_running_revision_that_was_deleted_counts_as_not_completed() -> None:
    deleted = replace(revision(9), active=False, completed_at=None)
    found = rollback_target([Candidate(revision(8, completed=3), True)], deleted)
    assert found.revision.ref == ref(8)
