"""What ECS does not see yet is waited for; what is truly wrong is reported, with what to check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.app import HANDLERS
from schoolctl.base.errors import SchoolctlError
from schoolctl.core.executor import Outcome, apply
from schoolctl.ecs_service.steps.service import CreateService, RegisterTaskDefinition, UpdateService
from schoolctl.ecs_service.steps.tasks import RunTask
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, Bench, service_json, task_json
from tests.worlds.scenes import NEW, OLD, container, deployment, old, service, stopped

if TYPE_CHECKING:
    from schoolctl.base.plan import Step
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

ASSUME = (
    "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided for"
    " this task. Please verify that the role being passed has the proper trust relationship."
)
STEPS: dict[str, Step] = {
    "RegisterTaskDefinition": RegisterTaskDefinition(
        "web", {"family": "web", "containerDefinitions": []}, {}
    ),
    "RunTask": RunTask("school", "web", NEW, ("true",), {}, purpose="release command"),
    "CreateService": CreateService("school", "web", NEW, {}, 2),
    "UpdateService": UpdateService("school", "web", NEW, {}, running=OLD),
}
EARLY = [
    ("RegisterTaskDefinition", "ClientException", "Role is not valid", "check that the role"),
    ("RunTask", "ClientException", ASSUME, "trusts ecs-tasks.amazonaws.com"),
    ("RunTask", "InvalidParameterException", ASSUME, "trusts ecs-tasks.amazonaws.com"),
    (
        "CreateService",
        "InvalidParameterException",
        (
            "Unable to assume the service linked role. Please verify that the ECS service"
            " linked role exists."
        ),
        "`aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`",
    ),
    (
        "CreateService",
        "InvalidParameterException",
        (
            "Unable to assume role and validate the specified targetGroupArn. Please verify that"
            " the ECS service role being passed has the proper permissions."
        ),
        "check `service.target_group`",
    ),
    (
        "CreateService",
        "InvalidParameterException",
        "The target group with targetGroupArn x does not have an associated load balancer.",
        "a listener of the load balancer must forward",
    ),
    (
        "CreateService",
        "InvalidParameterException",
        "The specified security group sg-1 does not exist.",
        "check `service.security_groups`",
    ),
    ("CreateService", "ClientException", "The subnet ID 'subnet-1' does not exist", "subnets`"),
    ("UpdateService", "InvalidParameterException", ASSUME, "check that the role exists"),
    ("UpdateService", "TargetGroupNotFoundException", "Target groups 'x' not found", "elbv2"),
]


class Scene:
    """A step on an AWS that refuses it for a while."""

    def __init__(self, project: Project, script: ScriptedAws) -> None:
        self.clock = FakeClock()
        self.bench = Bench(project.directory, self.clock, script)
        made = {"service": service_json(service(deployment(), old()))}
        task = task_json(stopped("EssentialContainerExited", "done", container(0)))
        script.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
        script.answer("DescribeTasks", {"tasks": [task], "failures": []})
        script.answer("GetLogEvents", {"events": [], "nextForwardToken": "f"})
        self.success: dict[str, dict[str, Any]] = {
            "RegisterTaskDefinition": {"taskDefinition": DEFINITION},
            "RunTask": {"tasks": [task], "failures": []},
            "CreateService": made,
            "UpdateService": made,
        }
        self.script = script

    def apply(self, operation: str) -> None:
        """Carry the step out."""
        apply(STEPS[operation], self.bench.tools, Outcome(), HANDLERS)


@pytest.fixture
def scene(project: Project, scripted: ScriptedAws) -> Scene:
    return Scene(project, scripted)


@pytest.mark.parametrize(
    ("operation", "code", "message", "hint"), EARLY, ids=[f"{e[0]}-{e[2][:40]}" for e in EARLY]
)
def test_what_was_created_a_moment_ago_is_waited_for(
    scene: Scene, operation: str, code: str, message: str, hint: str
) -> None:
    del hint
    refusal = Refusal(code, message)
    scene.script.answer(operation, refusal, refusal, scene.success[operation])
    scene.apply(operation)
    assert len(scene.script.requests(operation)) == 3
    assert scene.bench.stderr.getvalue().count("waiting up to a minute") == 1


@pytest.mark.parametrize(
    ("operation", "code", "message", "hint"), EARLY, ids=[f"{e[0]}-{e[2][:40]}" for e in EARLY]
)
def test_what_never_appears_is_reported_after_a_minute_with_what_to_check(
    scene: Scene, operation: str, code: str, message: str, hint: str
) -> None:
    scene.script.answer(operation, Refusal(code, message))
    with pytest.raises(SchoolctlError) as caught:
        scene.apply(operation)
    assert 60 <= scene.clock.monotonic() <= 70
    assert hint in caught.value.hint
    assert "it was tried again for a minute" in caught.value.why


@pytest.mark.parametrize("operation", STEPS)
def test_a_missing_permission_is_no_matter_of_time(scene: Scene, operation: str) -> None:
    denied = (
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:PassRole on"
        " resource: arn:aws:iam::123456789012:role/x; the role cannot be assumed"
    )
    scene.script.answer(operation, Refusal("ClientException", denied))
    with pytest.raises(SchoolctlError) as caught:
        scene.apply(operation)
    assert scene.clock.slept == []
    assert "iam:PassRole" in caught.value.hint
