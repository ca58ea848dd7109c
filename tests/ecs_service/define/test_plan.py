"""Which steps bring a service to a target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import AccessDeniedError, BusyError, ConflictError, UsageError
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.define.plan import DeployOptions, Present, plan_deploy
from schoolctl.ecs_service.define.target import (
    Choice,
    choose_newest,
    image_target,
    parse_choice,
    revision_target,
)
from schoolctl.ecs_service.steps.service import (
    CreateLogGroup,
    CreateService,
    MarkCompleted,
    RegisterTaskDefinition,
    UpdateService,
    WaitForRollout,
)
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.services import Registered, RolloutState
from tests.worlds.deploy_scenes import (
    NETWORK,
    NOW,
    PLACES,
    REPOSITORY,
    chosen,
    config,
    image,
    ref,
    revision,
    service,
    target,
)
from tests.worlds.scenes import deployment

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.ecs_service.define.needs import Places
    from schoolctl.ecs_service.define.target import Target
    from schoolctl.model.services import Deployment, Revision, ServiceState

IN_PROGRESS, COMPLETED, FAILED = RolloutState
RELEASE = "service: {release_command: [migrate]}"
DENIED = Denied(AccessDeniedError("could not look for the subnets", action="ec2:DescribeSubnets"))


def plan(
    wanted: Target,
    found: ServiceState | None,
    running: Revision | None = None,
    *,
    options: DeployOptions | None = None,
    places: Places = PLACES,
    extra: str = "",
) -> Plan:
    return plan_deploy(
        config(extra), wanted, Present(found, running), places, options or DeployOptions(), NOW
    )


def kinds(made: Plan) -> list[type]:
    return [type(step) for step in made.steps]


def update_of(made: Plan) -> UpdateService:
    return next(step for step in made.steps if isinstance(step, UpdateService))


def primary(number: int, state: RolloutState, *, created: float = 0) -> Deployment:
    return deployment(f"ecs-svc/{number}", ref(number), state, running=2, created=created)


# The first deployment


def test_without_a_service_it_is_created_followed_and_marked() -> None:
    made = plan(target(), None)
    assert kinds(made) == [RegisterTaskDefinition, CreateService, WaitForRollout, MarkCompleted]


def test_a_deleted_service_counts_as_none() -> None:
    assert CreateService in kinds(plan(target(), service(status="INACTIVE")))


def test_the_release_command_runs_before_the_service_is_created() -> None:
    made = plan(target(), None, extra=RELEASE)
    assert kinds(made)[:3] == [RegisterTaskDefinition, RunTask, CreateService]


def test_the_service_is_created_with_the_configured_count() -> None:
    [create] = [
        step
        for step in plan(target(), None, extra="service: {desired_count: 3}").steps
        if isinstance(step, CreateService)
    ]
    assert create.desired_count == 3
    assert create.task_definition == Registered("schoolapp-backend")


def test_a_count_on_the_command_line_overrules_the_configured_one() -> None:
    made = plan(target(), None, options=DeployOptions(desired_count=5))
    assert [step.desired_count for step in made.steps if isinstance(step, CreateService)] == [5]


def test_a_missing_log_group_is_created_first() -> None:
    made = plan(target(), None, places=replace(PLACES, create_log_group=True))
    assert made.steps[0] == CreateLogGroup("/ecs/schoolapp-backend")


def test_a_service_is_not_created_into_a_network_that_may_not_be_read() -> None:
    with pytest.raises(AccessDeniedError):
        plan(target(), None, places=replace(PLACES, network=DENIED))


# Nothing changed


def test_a_service_that_is_there_and_marked_needs_nothing() -> None:
    running = revision(1, completed=5)
    made = plan(target(running=running, newest=running), service(), running)
    assert made.steps == ()
    assert made.nothing == (
        "nothing to do: schoolapp-backend runs 1.0 (schoolapp-backend:1), deployed 5 m ago"
    )


def test_what_completed_unnoticed_is_only_marked() -> None:
    running = revision(1)
    made = plan(target(running=running, newest=running), service(), running)
    assert made.steps == (MarkCompleted(ref(1)),)


def test_what_runs_no_task_is_not_marked_and_that_is_said() -> None:
    running = revision(1)
    made = plan(target(running=running), service(desired=0, running=0), running)
    assert made.steps == ()
    assert any("the desired count is 0" in warning for warning in made.warnings)


def test_the_release_command_does_not_run_where_nothing_changed() -> None:
    running = revision(1, completed=5, extra=RELEASE)
    made = plan(target(running=running, extra=RELEASE), service(), running, extra=RELEASE)
    assert made.steps == ()


def test_the_same_image_under_another_tag_is_nothing_new() -> None:
    running = revision(1, completed=5)
    assert plan(target("a", "1.0-final", running=running), service(), running).steps == ()


# A new revision


def test_a_new_image_is_registered_and_the_service_updated() -> None:
    running = revision(1, "a", completed=5, tags={"schoolctl:tag": "1.0"})
    made = plan(target("b", "1.1", running=running, newest=running), service(), running)
    assert kinds(made) == [RegisterTaskDefinition, UpdateService, WaitForRollout, MarkCompleted]
    assert made.steps[0].describe() == (
        "register a new revision of schoolapp-backend (image 1.0 -> 1.1)"
    )
    assert update_of(made).request == {}


def test_a_revision_that_says_the_same_is_used_again() -> None:
    running, newest = revision(1, "a", completed=5), revision(2, "b")
    made = plan(target("b", "1.1", running=running, newest=newest), service(), running)
    assert kinds(made) == [UpdateService, WaitForRollout, MarkCompleted]
    assert update_of(made).task_definition == ref(2)
    assert update_of(made).changes == ("image aaaaaaaaaaaa -> 1.1",)


def test_a_revision_that_is_marked_keeps_its_first_mark() -> None:
    running, newest = revision(1, "a", completed=5), revision(2, "b", completed=1)
    made = plan(target("b", running=running, newest=newest), service(), running)
    assert made.steps[-1] == MarkCompleted(newest.ref, again=True)


def test_a_change_of_settings_is_no_other_completion_of_the_revision() -> None:
    running = revision(1, "a", completed=5)
    made = plan(
        target("a", running=running), service(), running, options=DeployOptions(desired_count=3)
    )
    assert kinds(made) == [UpdateService, WaitForRollout]


def test_a_deregistered_revision_is_registered_anew() -> None:
    running = revision(1, active=False)
    made = plan(target(running=running), service(), running)
    assert kinds(made)[:2] == [RegisterTaskDefinition, UpdateService]
    assert "schoolapp-backend:1 is INACTIVE" in made.steps[0].describe()


def test_a_revision_of_another_family_is_not_taken_for_ours() -> None:
    other = replace(revision(1), ref=ref(1, "another"))
    made = image_target(other.definition, chosen(), "web", running=other, newest=None)
    assert made.revision is None


def test_the_release_command_runs_on_the_new_revision_before_the_update() -> None:
    running = revision(1, "a", completed=5)
    made = plan(target("b", running=running), service(), running, extra=RELEASE)
    assert kinds(made)[:3] == [RegisterTaskDefinition, RunTask, UpdateService]
    [run] = [step for step in made.steps if isinstance(step, RunTask)]
    assert run.task_definition == Registered("schoolapp-backend")
    assert run.network == NETWORK
    assert run.launch == {"launchType": "FARGATE"}
    assert run.timeout_seconds == 900


def test_the_release_command_has_a_limit_of_its_own() -> None:
    [run] = release("service: {release_command: [migrate], release_timeout: 60}")
    assert run.timeout_seconds == 60


def test_the_release_command_runs_on_the_services_capacity() -> None:
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    [run] = release(RELEASE, capacityProviderStrategy=spot)
    assert run.launch == {"capacityProviderStrategy": spot}


def test_the_capacity_that_the_configuration_names_comes_first() -> None:
    named = "[{capacityProvider: FARGATE_SPOT, weight: 1}]"
    extra = f"service: {{release_command: [m], overrides: {{capacityProviderStrategy: {named}}}}}"
    [run] = release(extra, capacityProviderStrategy=[{"capacityProvider": "FARGATE"}])
    assert run.launch == {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    }


def release(extra: str, **settings: object) -> list[RunTask]:
    running = revision(1, "a", completed=5)
    state = service()
    state = replace(state, settings={**state.settings, **settings})
    made = plan(target("b", running=running), state, running, extra=extra)
    return [step for step in made.steps if isinstance(step, RunTask)]


def test_the_release_command_does_not_run_for_the_same_image() -> None:
    running = revision(1, "a", completed=5)
    other_cpu = f"{RELEASE}, task: {{cpu: 512, memory: 1024}}"
    made = plan(target("a", running=running, extra=other_cpu), service(), running, extra=other_cpu)
    assert kinds(made)[:2] == [RegisterTaskDefinition, UpdateService]


def test_the_release_command_takes_the_services_network_where_ours_is_hidden() -> None:
    running = revision(1, "a")
    hidden = replace(PLACES, network=DENIED)
    made = plan(target("b", running=running), service(), running, places=hidden, extra=RELEASE)
    [run] = [step for step in made.steps if isinstance(step, RunTask)]
    assert run.network == NETWORK


def test_without_waiting_nothing_is_followed_or_marked() -> None:
    running = revision(1, completed=5)
    made = plan(target("b", running=running), service(), running, options=DeployOptions(wait=False))
    assert kinds(made) == [RegisterTaskDefinition, UpdateService]


# Settings


def test_settings_that_differ_are_sent_without_a_revision() -> None:
    running = revision(1, completed=5)
    extra = "service: {deployment: {min_percent: 50}}"
    made = plan(target(running=running, extra=extra), service(), running, extra=extra)
    assert kinds(made) == [UpdateService, WaitForRollout]
    assert made.steps[0].describe() == (
        "update service schoolapp/schoolapp-backend: change settings"
        " (minimumHealthyPercent 100 -> 50)"
    )


def test_the_count_of_a_service_that_is_there_is_left_alone() -> None:
    running = revision(1, completed=5)
    extra = "service: {desired_count: 9}"
    assert plan(target(running=running, extra=extra), service(), running, extra=extra).steps == ()


def test_a_count_on_the_command_line_is_sent() -> None:
    running = revision(1, completed=5)
    made = plan(target(running=running), service(), running, options=DeployOptions(desired_count=4))
    assert update_of(made).request == {"desiredCount": 4}
    assert update_of(made).changes == ("desiredCount 2 -> 4",)


def test_a_count_of_zero_is_warned_of() -> None:
    running = revision(1, completed=5)
    stopped = service(desired=0, running=0)
    made = plan(target("b", running=running), stopped, running)
    assert made.warnings == ("the desired count of schoolapp-backend is 0: no task will run",)


# Another deployment


def test_another_deployment_in_progress_is_busy_and_named() -> None:
    found = service(primary(2, IN_PROGRESS, created=-120))
    with pytest.raises(BusyError) as caught:
        plan(target("c", newest=revision(1)), found, revision(2, "b"))
    assert "schoolapp-backend:2, started 2 m ago" in caught.value.what
    assert "--force" in caught.value.hint


def test_force_goes_over_another_deployment() -> None:
    found = service(primary(2, IN_PROGRESS))
    made = plan(target("c"), found, revision(2, "b"), options=DeployOptions(force=True))
    assert kinds(made)[:2] == [RegisterTaskDefinition, UpdateService]


def test_a_way_back_that_is_under_way_is_busy_too() -> None:
    back = deployment("ecs-svc/3", ref(1), IN_PROGRESS, running=1)
    failed = deployment("ecs-svc/2", ref(2), FAILED, status="ACTIVE")
    newest = revision(2, "b")
    with pytest.raises(BusyError):
        plan(target("b", running=revision(1), newest=newest), service(back, failed), revision(1))


def test_our_own_revision_in_progress_is_followed_not_started_again() -> None:
    moving = primary(2, IN_PROGRESS)
    running = revision(2, "b")
    made = plan(target("b", running=running), service(moving), running)
    assert kinds(made) == [WaitForRollout, MarkCompleted]
    assert isinstance(made.steps[0], WaitForRollout)
    assert made.steps[0].deployment == moving


def test_our_own_revision_in_progress_without_waiting_is_nothing_to_do() -> None:
    running = revision(2, "b")
    found = service(primary(2, IN_PROGRESS, created=-60))
    made = plan(target("b", running=running), found, running, options=DeployOptions(wait=False))
    assert made.steps == ()
    assert "is being deployed already, 1 m ago" in made.nothing


def test_a_revision_whose_rollout_failed_is_tried_again() -> None:
    running = revision(2, "b")
    made = plan(target("b", running=running), service(primary(2, FAILED)), running)
    assert update_of(made).force
    assert made.notes == ("the last rollout of schoolapp-backend:2 failed; it is tried again",)


def test_force_starts_the_same_revision_again() -> None:
    running = revision(1, completed=5)
    made = plan(target(running=running), service(), running, options=DeployOptions(force=True))
    assert update_of(made).force
    assert update_of(made).describe().endswith("start new tasks of the same revision")


def test_an_old_deployment_that_failed_long_ago_does_not_matter() -> None:
    # The emulator keeps it listed for ever.
    failed = deployment("ecs-svc/0", ref(9), FAILED, status="ACTIVE", created=-9000)
    running = revision(1, completed=5)
    found = service(primary(1, COMPLETED), failed)
    assert plan(target(running=running), found, running).steps == ()


def test_a_service_that_is_being_deleted_is_busy() -> None:
    with pytest.raises(BusyError, match="is being deleted"):
        plan(target(), service(status="DRAINING"))


def test_a_service_of_another_controller_is_refused() -> None:
    other = service(settings={"deploymentController": {"type": "CODE_DEPLOY"}})
    with pytest.raises(ConflictError, match="CODE_DEPLOY"):
        plan(target(), other)


# What is chosen


def test_the_newest_image_with_a_tag_is_chosen_and_described() -> None:
    images = [image("a", "1.0", minutes=9), image("b", "1.1", minutes=3), image("c", minutes=1)]
    found = choose_newest(images, REPOSITORY)
    assert found is not None
    assert found.describe(NOW) == "image 1.1, digest bbbbbbbbbbbb, pushed 3 m ago"


def test_latest_is_no_tag_of_a_release() -> None:
    assert choose_newest([image("a", "latest")], REPOSITORY) is None


def test_an_archived_image_is_not_chosen_as_it_cannot_be_pulled() -> None:
    assert choose_newest([replace(image("a", "1.0"), archived=True)], REPOSITORY) is None


def test_an_image_that_refers_to_another_is_not_deployed() -> None:
    signature = replace(image("b", "sha256-aaa.sig"), subject=image("a").digest)
    found = choose_newest([image("a", "1.0", minutes=5), signature], REPOSITORY)
    assert found is not None
    assert found.tag == "1.0"


def test_the_commit_is_part_of_the_description() -> None:
    said = chosen("a", "1.0", "0123456789abcdef0123").describe(NOW)
    assert said == "image 1.0, digest aaaaaaaaaaaa, pushed 3 m ago, commit 0123456789ab"


def test_only_one_choice_may_be_made() -> None:
    with pytest.raises(UsageError, match="--tag and --revision"):
        parse_choice("1.0", None, 3)
    assert parse_choice(None, None, None) == Choice()
    assert not Choice().is_made


def test_a_chosen_revision_is_used_as_it_is() -> None:
    old = revision(1, "a", tags={"schoolctl:tag": "1.0"})
    running = revision(2, "b", tags={"schoolctl:tag": "1.1"})
    wanted = revision_target(old, config(), running, image_exists=True)
    made = plan(wanted, service(primary(2, COMPLETED)), running)
    assert kinds(made) == [UpdateService, WaitForRollout, MarkCompleted]
    assert update_of(made).changes == ("image 1.1 -> 1.0",)


def test_a_revision_that_cannot_run_is_refused() -> None:
    with pytest.raises(UsageError, match="is INACTIVE"):
        revision_target(revision(1, active=False), config(), None, image_exists=True)
    with pytest.raises(UsageError, match="is gone"):
        revision_target(revision(1), config(), None, image_exists=False)


def test_a_revision_with_an_image_from_elsewhere_is_taken() -> None:
    assert revision_target(revision(1), config(), None, image_exists=None).revision is not None


# The law of every plan


@pytest.mark.parametrize("letter", ["a", "b"])
@pytest.mark.parametrize("extra", ["", RELEASE, "service: {deployment: {min_percent: 50}}"])
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(letter: str, extra: str) -> None:
    running = revision(1, "a", completed=5)
    wanted = target(letter, "1.1", running=running, extra=extra)
    made = plan(wanted, service(), running, extra=extra)
    settings = dict(service().settings)
    for step in made.steps:
        if isinstance(step, UpdateService):
            settings |= step.request
    number = 2 if RegisterTaskDefinition in kinds(made) else 1
    after = revision(number, letter, completed=0, extra=extra)
    found = service(primary(number, COMPLETED), settings=settings)
    again = plan(target(letter, running=after, extra=extra), found, after, extra=extra)
    assert again.steps == ()
