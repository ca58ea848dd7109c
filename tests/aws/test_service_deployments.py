"""Service deployments over HTTP: pages, batches, shapes, and an AWS that does not know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.ecs import deployments as aws
from schoolctl.base.errors import AccessDeniedError
from schoolctl.model.deployments import (
    BreakerState,
    DeploymentStrategy,
    HookStatus,
    LifecycleStage,
    MonitorStatus,
    ServiceDeploymentStatus,
)
from schoolctl.model.services import RolloutState
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import Bench
from tests.worlds.scenes import NEW, at

if TYPE_CHECKING:
    from enum import StrEnum

    from schoolctl.aws.session.clients import Clients
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

ARN = "arn:aws:ecs:us-east-1:123456789012:service-deployment/school/web/"
REVISION = "arn:aws:ecs:us-east-1:123456789012:service-revision/school/web/"


@pytest.fixture
def clients(project: Project, scripted: ScriptedAws) -> Clients:
    return Bench(project.directory, FakeClock(), scripted).run.clients


def brief(number: int, status: str = "SUCCESSFUL") -> dict[str, Any]:
    return {
        "serviceDeploymentArn": f"{ARN}{number}",
        "status": status,
        "createdAt": at(number).timestamp(),
        "finishedAt": at(number + 30).timestamp(),
        "targetServiceRevisionArn": f"{REVISION}{number}",
    }


def test_all_pages_are_read_up_to_the_limit(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer(
        "ListServiceDeployments",
        {"serviceDeployments": [brief(3), brief(2)], "nextToken": "more"},
        {"serviceDeployments": [brief(1)], "nextToken": "still more"},
    )
    found = aws.list_service_deployments(clients, "school", "web", limit=3)
    assert found is not None
    assert [each.arn[-1] for each in found] == ["3", "2", "1"]
    assert found[0].finished_at == at(33)
    first, second = scripted.requests("ListServiceDeployments")
    assert (first["maxResults"], second["maxResults"], second["nextToken"]) == (3, 1, "more")


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("UnknownOperationException"),
        Refusal("UnsupportedFeatureException"),
        Refusal("InternalFailure", "not implemented", 501),
    ],
    ids=lambda refusal: refusal.code,
)
def test_an_aws_without_service_deployments_is_told_apart(
    clients: Clients, scripted: ScriptedAws, refusal: Refusal
) -> None:
    scripted.answer("ListServiceDeployments", refusal)
    assert aws.list_service_deployments(clients, "school", "web") is None


def test_a_denied_list_is_an_error(clients: Clients, scripted: ScriptedAws) -> None:
    denied = Refusal("AccessDeniedException", "not authorized to perform: ecs:ListX")
    scripted.answer("ListServiceDeployments", denied)
    with pytest.raises(AccessDeniedError):
        aws.list_service_deployments(clients, "school", "web")


def test_a_deployment_is_read_with_all_that_decides_it(
    clients: Clients, scripted: ScriptedAws
) -> None:
    told = {
        **brief(1, "ROLLBACK_IN_PROGRESS"),
        "statusReason": "Service deployment rolled back",
        "lifecycleStage": "BAKE_TIME",
        "deploymentConfiguration": {"strategy": "CANARY"},
        "targetServiceRevision": {
            "arn": f"{REVISION}1",
            "requestedTaskCount": 2,
            "runningTaskCount": 1,
            "pendingTaskCount": 1,
            "requestedProductionTrafficWeight": 5.0,
        },
        "sourceServiceRevisions": [{"arn": f"{REVISION}0", "runningTaskCount": 2}],
        "lifecycleHookDetails": [
            {"hookId": "h", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
        ],
        "deploymentCircuitBreaker": {"status": "TRIGGERED", "failureCount": 3, "threshold": 3},
        "alarms": {"status": "TRIGGERED", "triggeredAlarmNames": ["5xx"]},
        "rollback": {"reason": "alarm", "serviceRevisionArn": f"{REVISION}0"},
    }
    scripted.answer("DescribeServiceDeployments", {"serviceDeployments": [told]})
    [found] = aws.describe_service_deployments(clients, [f"{ARN}1"])
    assert found.status is ServiceDeploymentStatus.ROLLBACK_IN_PROGRESS
    assert found.strategy is DeploymentStrategy.CANARY
    assert found.stage is LifecycleStage.BAKE_TIME
    assert found.target.production_weight == 5.0
    assert [each.revision_arn for each in found.sources] == [f"{REVISION}0"]
    assert found.hooks[0].status is HookStatus.AWAITING_ACTION
    assert found.breaker == BreakerState(MonitorStatus.TRIGGERED, 3, 3)
    assert found.triggered_alarms == ("5xx",)
    assert (found.rollback_reason, found.rollback_revision_arn) == ("alarm", f"{REVISION}0")


def test_a_status_that_is_not_known_yet_is_no_crash(
    clients: Clients, scripted: ScriptedAws
) -> None:
    told = {**brief(1, "ON_HOLIDAY"), "lifecycleStage": "NAP"}
    scripted.answer("DescribeServiceDeployments", {"serviceDeployments": [told]})
    [found] = aws.describe_service_deployments(clients, [f"{ARN}1"])
    assert found.status is ServiceDeploymentStatus.UNKNOWN
    assert found.stage is LifecycleStage.UNKNOWN


def test_task_definitions_are_looked_up_twenty_at_a_time(
    clients: Clients, scripted: ScriptedAws
) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        arns = request["serviceRevisionArns"]
        return {
            "serviceRevisions": [
                {"serviceRevisionArn": each, "taskDefinition": NEW.arn} for each in arns
            ]
        }

    scripted.answer("DescribeServiceRevisions", answer)
    found = aws.revisions_behind(clients, [f"{REVISION}{number}" for number in range(45)])
    assert len(found) == 45
    assert set(found.values()) == {NEW}
    sizes = [
        len(each["serviceRevisionArns"]) for each in scripted.requests("DescribeServiceRevisions")
    ]
    assert sorted(sizes) == [5, 20, 20]


def test_a_deployment_that_was_decided_meanwhile_cannot_be_stopped(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer("StopServiceDeployment", Refusal("ConflictException"))
    assert not aws.stop_service_deployment(clients, f"{ARN}1")


@pytest.mark.parametrize(
    ("shape", "ours"),
    [
        ("DeploymentRolloutState", RolloutState),
        ("ServiceDeploymentStatus", ServiceDeploymentStatus),
        ("ServiceDeploymentLifecycleStage", LifecycleStage),
        ("ServiceDeploymentRollbackMonitorsStatus", MonitorStatus),
        ("DeploymentStrategy", DeploymentStrategy),
        ("DeploymentLifecycleHookStatus", HookStatus),
    ],
)
def test_every_value_that_botocore_knows_has_a_name_here(
    clients: Clients, shape: str, ours: type[StrEnum]
) -> None:
    """A new botocore may bring a new one: then somebody has to say what it means for a rollout."""
    known: Any = clients.ecs.meta.service_model.shape_for(shape)
    assert set(known.enum) == {each.value for each in ours} - {"UNKNOWN"}
