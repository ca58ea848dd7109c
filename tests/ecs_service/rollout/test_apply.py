"""Steps of a deployment on written answers: what moto cannot be brought to say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import SchoolctlError
from schoolctl.core.executor import Outcome
from schoolctl.ecs_service.rollout.apply import (
    create_service,
    mark_completed,
    register,
    stop_deployment,
    update_service,
)
from schoolctl.ecs_service.steps.service import (
    CreateService,
    MarkCompleted,
    RegisterTaskDefinition,
    StopDeployment,
    UpdateService,
)
from schoolctl.model.services import Registered
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, Bench, service_answer, service_json
from tests.worlds.scenes import COMPLETED, NEW, OLD, OTHER, deployment, old, service

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

STOP = StopDeployment("school", "web", "ecs-svc/new", NEW)
ARN = "arn:aws:ecs:us-east-1:123456789012:service-deployment/school/web/1"


class Scene:
    """A bench with its clock and outcome at hand."""

    def __init__(self, project: Project, script: ScriptedAws, *, json_output: bool = False) -> None:
        self.script = script
        self.clock = FakeClock()
        self.bench = Bench(project.directory, self.clock, script, json_output=json_output)
        self.tools, self.outcome = self.bench.tools, Outcome()


@pytest.fixture
def scene(project: Project, scripted: ScriptedAws) -> Scene:
    return Scene(project, scripted)


def update(**values: Any) -> UpdateService:
    return UpdateService("school", "web", NEW, {}, running=OLD, **values)


def updated() -> dict[str, Any]:
    return {"service": service_json(service(deployment(), old()))}


def deployments(*states: str) -> list[dict[str, Any]]:
    return [
        {"serviceDeployments": [{"serviceDeploymentArn": ARN, "status": state}], "failures": []}
        for state in states
    ]


# Updating


def test_the_deployment_to_follow_is_the_primary_one_of_the_answer(scene: Scene) -> None:
    scene.script.answer("UpdateService", updated())
    update_service(update(), scene.tools, scene.outcome)
    assert scene.outcome.deployment is not None
    assert scene.outcome.deployment.id == "ecs-svc/new"
    [request] = scene.script.requests("UpdateService")
    assert request == {"cluster": "school", "service": "web", "taskDefinition": NEW.arn}


def test_the_document_has_the_deployment_as_soon_as_it_is_started(
    project: Project, scripted: ScriptedAws
) -> None:
    scene = Scene(project, scripted, json_output=True)
    scripted.answer("UpdateService", updated())
    update_service(update(), scene.tools, scene.outcome)
    scene.bench.run.reporter.finish(0)
    document = json.loads(scene.bench.stdout.getvalue())
    assert document["verdict"] == "started"
    assert document["revision"] == "web:7"
    assert document["deployment_id"] == "ecs-svc/new"


def test_settings_alone_are_sent_without_a_revision(scene: Scene) -> None:
    scene.script.answer("UpdateService", updated())
    step = UpdateService("school", "web", NEW, {"desiredCount": 3}, running=NEW)
    update_service(step, scene.tools, scene.outcome)
    assert scene.script.requests("UpdateService") == [
        {"cluster": "school", "service": "web", "desiredCount": 3}
    ]


def test_a_service_that_is_made_in_the_same_plan_runs_what_was_registered(scene: Scene) -> None:
    scene.script.answer("CreateService", updated())
    scene.outcome.registered = NEW
    step = CreateService("school", "web", Registered("web"), {"launchType": "FARGATE"}, 2)
    create_service(step, scene.tools, scene.outcome)
    [request] = scene.script.requests("CreateService")
    token = request.pop("clientToken")
    assert len(token) == 36
    assert request == {
        "cluster": "school",
        "serviceName": "web",
        "launchType": "FARGATE",
        "taskDefinition": NEW.arn,
        "desiredCount": 2,
    }


def test_a_service_that_the_lost_call_made_is_taken(scene: Scene) -> None:
    scene.script.answer(
        "CreateService",
        Refusal("InvalidParameterException", "Creation of service was not idempotent."),
    )
    made = service_json(service(deployment()))
    scene.script.answer("DescribeServices", {"services": [made], "failures": []})
    step = CreateService("school", "web", NEW, {}, 2)
    create_service(step, scene.tools, scene.outcome)
    assert scene.outcome.deployment is not None


def test_a_service_that_somebody_else_made_is_not_taken(scene: Scene) -> None:
    scene.script.answer(
        "CreateService",
        Refusal("InvalidParameterException", "Creation of service was not idempotent."),
    )
    other = service_json(service(old(status="PRIMARY")))
    scene.script.answer("DescribeServices", {"services": [other], "failures": []})
    with pytest.raises(SchoolctlError, match="could not create service school/web"):
        create_service(CreateService("school", "web", NEW, {}, 2), scene.tools, scene.outcome)


def test_a_target_group_that_never_appears_is_reported_after_a_minute(scene: Scene) -> None:
    scene.script.answer(
        "CreateService",
        Refusal("InvalidParameterException", "The target group x does not exist."),
    )
    with pytest.raises(SchoolctlError, match="could not create service"):
        create_service(CreateService("school", "web", NEW, {}, 2), scene.tools, scene.outcome)
    assert 60 <= scene.clock.monotonic() <= 70
    assert scene.bench.stderr.getvalue().count("waiting up to a minute") == 1


def test_another_mistake_is_reported_at_once(scene: Scene) -> None:
    scene.script.answer(
        "CreateService", Refusal("InvalidParameterException", "subnets can not be empty.")
    )
    with pytest.raises(SchoolctlError, match="could not create service"):
        create_service(CreateService("school", "web", NEW, {}, 2), scene.tools, scene.outcome)
    assert scene.clock.slept == []


# Registering

BARE: dict[str, object] = {"family": "web", "containerDefinitions": []}
REGISTER = RegisterTaskDefinition("web", BARE, {"a": "b"})


def test_without_an_answer_it_gives_up_after_a_minute(scene: Scene) -> None:
    scene.script.answer("RegisterTaskDefinition", Refusal("ServerException", "no", 500))
    scene.script.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    with pytest.raises(SchoolctlError, match="could not register a revision of web"):
        register(REGISTER, scene.tools, scene.outcome)
    assert 60 <= scene.clock.monotonic() <= 70


def test_a_revision_of_somebody_else_is_not_taken_for_ours(scene: Scene) -> None:
    other = [{"key": "schoolctl:deploy-id", "value": "of another run"}]
    scene.script.answer(
        "RegisterTaskDefinition",
        Refusal("ServerException", "no", 500),
        {"taskDefinition": {**DEFINITION, "taskDefinitionArn": NEW.arn.replace(":7", ":8")}},
    )
    scene.script.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": other})
    register(REGISTER, scene.tools, scene.outcome)
    assert str(scene.outcome.registered) == "web:8"


def test_what_a_tag_cannot_hold_is_replaced(scene: Scene) -> None:
    scene.script.answer("RegisterTaskDefinition", {"taskDefinition": DEFINITION})
    step = RegisterTaskDefinition("web", BARE, {"schoolctl:by": "a,b{c}" + "x" * 300})
    register(step, scene.tools, scene.outcome)
    [request] = scene.script.requests("RegisterTaskDefinition")
    tags = {each["key"]: each["value"] for each in request["tags"]}
    assert tags["schoolctl:by"].startswith("a_b_c_xxx")
    assert len(tags["schoolctl:by"]) == 256


def test_tags_of_the_overrides_stand_beside_ours(scene: Scene) -> None:
    scene.script.answer("RegisterTaskDefinition", {"taskDefinition": DEFINITION})
    own = {"key": "team", "value": "a"}
    step = RegisterTaskDefinition("web", {**BARE, "tags": [own]}, {"schoolctl:tag": "1"})
    register(step, scene.tools, scene.outcome)
    [request] = scene.script.requests("RegisterTaskDefinition")
    keys = [each["key"] for each in request["tags"]]
    assert keys == ["team", "schoolctl:tag", "schoolctl:deploy-id"]


# Marking


def test_a_rollout_that_ran_no_task_is_not_marked(scene: Scene) -> None:
    scene.outcome.proven = False
    assert "left out" in mark_completed(MarkCompleted(NEW), scene.tools, scene.outcome)
    assert scene.script.requests("TagResource") == []


# Stopping


def test_a_deployment_is_stopped_and_its_way_back_waited_for(scene: Scene) -> None:
    scene.script.answer("ListServiceDeployments", *deployments("IN_PROGRESS"))
    scene.script.answer("StopServiceDeployment", {"serviceDeploymentArn": ARN})
    scene.script.answer(
        "DescribeServiceDeployments", *deployments("STOP_REQUESTED", "ROLLBACK_IN_PROGRESS")
    )
    assert stop_deployment(STOP, scene.tools) == ""
    assert scene.script.requests("StopServiceDeployment") == [
        {"serviceDeploymentArn": ARN, "stopType": "ROLLBACK"}
    ]
    assert len(scene.clock.slept) == 1


def test_one_that_never_stops_is_not_waited_for_for_ever(scene: Scene) -> None:
    scene.script.answer("ListServiceDeployments", *deployments("IN_PROGRESS"))
    scene.script.answer("StopServiceDeployment", {"serviceDeploymentArn": ARN})
    scene.script.answer("DescribeServiceDeployments", *deployments("STOP_REQUESTED"))
    stop_deployment(STOP, scene.tools)
    assert scene.clock.monotonic() <= 35


def test_one_that_was_decided_meanwhile_is_fine(scene: Scene) -> None:
    scene.script.answer("ListServiceDeployments", *deployments("IN_PROGRESS"))
    scene.script.answer("StopServiceDeployment", Refusal("ConflictException"))
    scene.script.answer("DescribeServiceDeployments", *deployments("SUCCESSFUL"))
    assert stop_deployment(STOP, scene.tools) == ""


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("InvalidAction", "Unknown ECS action"),
        Refusal("UnknownOperationException"),
        Refusal("InternalFailure", "not implemented", 501),
        Refusal("AccessDeniedException", "not authorized to perform: ecs:ListServiceDeployments"),
        Refusal("ServerException", "NotImplementedError", 500),
    ],
    ids=lambda refusal: refusal.code,
)
def test_where_ecs_cannot_stop_one_the_update_replaces_it(scene: Scene, refusal: Refusal) -> None:
    scene.script.answer("ListServiceDeployments", refusal)
    assert "the update replaces it" in stop_deployment(STOP, scene.tools)
    assert len(scene.script.requests("ListServiceDeployments")) == 1


def test_a_way_back_that_may_not_be_watched_is_no_failure(scene: Scene) -> None:
    scene.script.answer("ListServiceDeployments", *deployments("IN_PROGRESS"))
    scene.script.answer("StopServiceDeployment", {"serviceDeploymentArn": ARN})
    scene.script.answer("DescribeServiceDeployments", Refusal("AccessDeniedException"))
    assert "the update replaces it" in stop_deployment(STOP, scene.tools)


# Forcing


def forced() -> UpdateService:
    return UpdateService("school", "web", NEW, {}, running=NEW, force=True)


def test_a_forced_update_that_is_throttled_is_sent_again(scene: Scene) -> None:
    before = deployment("ecs-svc/before", state=COMPLETED, running=2, created=-60)
    slow = Refusal("ThrottlingException", "Rate exceeded")
    scene.script.answer("UpdateService", slow, slow, updated())
    scene.script.answer("DescribeServices", *service_answer(service(before)))
    update_service(forced(), scene.tools, scene.outcome)
    assert scene.outcome.deployment is not None
    assert scene.outcome.deployment.id == "ecs-svc/new"
    assert len(scene.script.requests("UpdateService")) == 3


def test_a_forced_update_whose_reply_was_lost_is_found_even_if_ecs_shows_it_late(
    scene: Scene,
) -> None:
    before = deployment("ecs-svc/before", state=COMPLETED, running=2, created=-60)
    scene.script.answer("UpdateService", Refusal("ServerException", "no", 500))
    scene.script.answer(
        "DescribeServices",
        *service_answer(service(before), service(before), service(deployment())),
    )
    update_service(forced(), scene.tools, scene.outcome)
    assert scene.outcome.deployment is not None
    assert scene.outcome.deployment.id == "ecs-svc/new"
    assert len(scene.script.requests("UpdateService")) == 1


def test_what_somebody_else_deploys_is_not_taken_for_a_forced_update(scene: Scene) -> None:
    before = deployment("ecs-svc/before", state=COMPLETED, running=2, created=-60)
    scene.script.answer("UpdateService", Refusal("ServerException", "no", 500))
    theirs = deployment("ecs-svc/theirs", OTHER)
    scene.script.answer("DescribeServices", *service_answer(service(before), service(theirs)))
    with pytest.raises(SchoolctlError, match="could not update service"):
        update_service(forced(), scene.tools, scene.outcome)
    assert 60 <= scene.clock.monotonic() <= 70
