"""The diff is empty exactly where a deploy has nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from schoolctl.config.merge import apply_overrides
from schoolctl.ecs_service.define.diff import deployment_diff
from schoolctl.ecs_service.define.needs import Places
from schoolctl.ecs_service.define.plan import DeployOptions, Present, plan_deploy
from schoolctl.ecs_service.steps.service import MarkCompleted, WaitForRollout
from schoolctl.model.services import Revision
from tests.aws_shapes import request_of
from tests.worlds.deploy_scenes import (
    NETWORK,
    NOW,
    TARGET_GROUP,
    config,
    ref,
    revision,
    service,
    target,
)

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.ecs_service.define.diff import Diff

# What somebody may have registered by hand, mostly beside what the configuration makes.
OTHER = st.one_of(
    st.just({}),
    request_of("RegisterTaskDefinition").map(lambda made: {**made, "family": "schoolapp-backend"}),
)
SETTINGS = st.one_of(st.just({}), request_of("UpdateService"))


def look(made: Revision, settings: dict[str, Any], *, log_group: bool) -> tuple[Plan, Diff]:
    """Plan a deploy of the tests' configuration onto a service that is at `made`."""
    state = service(at=ref(1))
    known = {**state.settings, **settings, "deploymentController": {"type": "ECS"}}
    state = service(at=ref(1), settings=known)
    present = Present(state, made)
    aim = target(running=made, newest=made)
    places = Places(NETWORK, TARGET_GROUP, create_log_group=not log_group)
    plan = plan_deploy(config(), aim, present, places, DeployOptions(only_look=True), NOW)
    return plan, deployment_diff(plan, aim, present, "web")


def nothing_to_do(plan: Plan) -> bool:
    return all(isinstance(step, MarkCompleted | WaitForRollout) for step in plan.steps)


@given(other=OTHER, settings=SETTINGS, log_group=st.booleans())
def test_the_diff_is_empty_exactly_where_deploy_does_nothing(
    other: dict[str, Any], settings: dict[str, Any], *, log_group: bool
) -> None:
    ours = revision(1)
    definition = apply_overrides(ours.definition, other)
    made = Revision(ref(1), True, NOW, definition, (), {}, NOW)
    plan, diff = look(made, settings, log_group=log_group)
    assert diff.is_empty == nothing_to_do(plan)
    assert (diff.lines() == []) == diff.is_empty
    assert diff.document()["differs"] == (not diff.is_empty)


def test_both_sides_of_the_property_happen() -> None:
    plan, diff = look(revision(1), {}, log_group=True)
    assert diff.is_empty
    assert nothing_to_do(plan)
    assert not look(revision(1), {}, log_group=False)[1].is_empty
