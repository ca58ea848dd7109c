"""Where a rollback goes, as laws that hold for every history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.errors import NotFoundError
from schoolctl.ecs_service.rollout.rollback import Candidate, RollbackTarget, rollback_target
from schoolctl.model.services import Revision
from tests.worlds.deploy_scenes import NOW, ref

if TYPE_CHECKING:
    from random import Random

BARE = Revision(ref(1), True, NOW, {}, (), {})  # the fields in their order


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Candidate], Revision]:
    """Give revisions, some completed, some INACTIVE, some without their image; one runs."""
    numbers = draw(st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True))
    minutes = draw(
        st.lists(st.integers(0, 10_000), min_size=len(numbers), max_size=len(numbers), unique=True)
    )
    made = []
    for number, ago in zip(numbers, minutes, strict=True):
        completed = draw(st.booleans())
        made.append(
            replace(
                BARE,
                ref=ref(number),
                active=draw(st.booleans()),
                completed_at=NOW - timedelta(minutes=ago) if completed else None,
            )
        )
    images = st.sampled_from([True, False, None])
    return [Candidate(each, draw(images)) for each in made], draw(st.sampled_from(made))


def target(history: tuple[list[Candidate], Revision]) -> RollbackTarget | None:
    try:
        return rollback_target(*history)
    except NotFoundError:
        return None


@given(histories())
def test_it_goes_to_an_active_revision_with_an_image_and_never_to_the_running_one(
    history: tuple[list[Candidate], Revision],
) -> None:
    found = target(history)
    if found is None:
        return
    [candidate] = [each for each in history[0] if each.revision == found.revision]
    assert found.revision.active
    assert candidate.image_exists is not False
    assert found.revision.ref != history[1].ref


@given(histories())
def test_a_proven_target_completed_before_and_nothing_that_can_run_came_between(
    history: tuple[list[Candidate], Revision],
) -> None:
    candidates, running = history
    found = target(history)
    if found is None or not found.proven:
        return
    at = found.revision.completed_at
    assert at is not None
    assert running.completed_at is None or at < running.completed_at
    between = [
        each.revision
        for each in candidates
        if each.revision.active
        and each.image_exists is not False
        and each.revision.ref != running.ref
        and each.revision.completed_at is not None
        and at < each.revision.completed_at
        and (running.completed_at is None or each.revision.completed_at < running.completed_at)
    ]
    assert between == []


@given(histories())
def test_rolling_back_again_and_again_only_ever_goes_further_back(
    history: tuple[list[Candidate], Revision],
) -> None:
    candidates, running = history
    visited = []
    found = target((candidates, running))
    while found is not None and found.proven:
        visited.append(found.revision.completed_at)
        found = target((candidates, found.revision))
    assert visited == sorted(visited, key=lambda at: at or NOW, reverse=True)
    assert len(set(visited)) == len(visited)


@given(st.lists(st.booleans(), max_size=25))
def test_a_rollback_goes_to_what_ran_before_the_deployment_that_is_undone(
    deployed: list[bool],
) -> None:
    """Deployments pile up, a rollback takes the topmost off: where two were made, two come off."""
    revisions = {ref(1): replace(BARE, completed_at=NOW)}
    pile = [ref(1)]
    for minute, deploys in enumerate(deployed, 1):
        at = NOW + timedelta(minutes=minute)
        if deploys:
            new = ref(len(revisions) + 1)
            revisions[new] = replace(BARE, ref=new, completed_at=at)
            pile.append(new)
            continue
        candidates = [Candidate(each, True) for each in revisions.values()]
        found = target((candidates, revisions[pile.pop()]))
        if not pile:
            assert found is None or not found.proven
            return
        assert found is not None
        assert found.revision.ref == pile[-1]
        revisions[pile[-1]] = replace(found.revision, completed_again_at=at)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(
    history: tuple[list[Candidate], Revision], random: Random
) -> None:
    candidates, running = history
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert target((shuffled, running)) == target(history)
