"""ECS read in full: pages, batches, failures, what is left out of answers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.ecs import services as ecs
from schoolctl.base.errors import NotFoundError, SchoolctlError
from schoolctl.model.services import RolloutState, TaskDefinitionRef
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, Bench, service_answer, service_json, task_json
from tests.worlds.scenes import COMPLETED, NEW, OLD, deployment, old, service, stopped

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

PREFIX = "arn:aws:ecs:us-east-1:123456789012"


@pytest.fixture
def clients(project: Project, scripted: ScriptedAws) -> Clients:
    return Bench(project.directory, FakeClock(), scripted).run.clients


def test_a_service_is_read_with_its_newest_deployment_first(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeServices", *service_answer(service(old(), deployment(running=1))))
    found = ecs.describe_service(clients, "school", "web")
    assert found is not None
    assert [each.id for each in found.deployments] == ["ecs-svc/new", "ecs-svc/old"]
    assert found.primary is not None
    assert found.primary.rollout_state is RolloutState.IN_PROGRESS
    assert (found.cluster, found.task_definition, found.running) == ("school", NEW, 3)


def test_the_settings_are_what_an_update_can_change(
    clients: Clients, scripted: ScriptedAws
) -> None:
    answer = service_json(service(deployment(state=COMPLETED)))
    answer |= {"roleArn": "r", "createdBy": "me", "enableExecuteCommand": True}
    answer["deployments"][0]["serviceConnectConfiguration"] = {"enabled": True}
    scripted.answer("DescribeServices", {"services": [answer], "failures": []})
    found = ecs.describe_service(clients, "school", "web")
    assert found is not None
    assert set(found.settings) == {
        "deploymentConfiguration",
        "enableExecuteCommand",
        "loadBalancers",
        "networkConfiguration",
        "serviceConnectConfiguration",
    }


def test_a_service_that_codedeploy_deploys_is_at_its_task_sets(
    clients: Clients, scripted: ScriptedAws
) -> None:
    answer = service_json(service())
    del answer["taskDefinition"]
    answer["taskSets"] = [
        {"status": "ACTIVE", "taskDefinition": NEW.arn},
        {"status": "PRIMARY", "taskDefinition": OLD.arn},
    ]
    scripted.answer("DescribeServices", {"services": [answer], "failures": []})
    found = ecs.describe_service(clients, "school", "web")
    assert found is not None
    assert (found.task_definition, found.task_sets) == (OLD, (OLD, NEW))


def test_a_service_without_any_revision_is_left_out(
    clients: Clients, scripted: ScriptedAws
) -> None:
    external = service_json(service())
    del external["taskDefinition"]
    ours = service_json(service(deployment()))
    scripted.answer("DescribeServices", {"services": [external, ours], "failures": []})
    found = ecs.describe_services(clients, "school", ["external", "web"])
    assert [each.task_definition for each in found] == [NEW]


def test_a_service_that_is_missing_is_none(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer("DescribeServices", *service_answer(None))
    assert ecs.describe_service(clients, "school", "web") is None


def test_a_cluster_that_is_missing_is_an_error_with_its_name(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeServices", Refusal("ClusterNotFoundException", "Cluster not found."))
    with pytest.raises(NotFoundError, match="cluster school does not exist"):
        ecs.describe_service(clients, "school", "web")


def test_a_failure_other_than_missing_is_never_overlooked(
    clients: Clients, scripted: ScriptedAws
) -> None:
    failure = {"arn": f"{PREFIX}:service/school/web", "reason": "ACCESS_DENIED"}
    scripted.answer("DescribeServices", {"services": [], "failures": [failure]})
    with pytest.raises(SchoolctlError) as caught:
        ecs.describe_service(clients, "school", "web")
    assert "ACCESS_DENIED" in caught.value.why


def test_services_are_described_ten_a_call(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer("DescribeServices", {"services": [], "failures": []})
    ecs.describe_services(clients, "school", [f"web-{number}" for number in range(23)])
    sizes = sorted(len(request["services"]) for request in scripted.requests("DescribeServices"))
    assert sizes == [3, 10, 10]


def test_no_names_are_no_call(clients: Clients, scripted: ScriptedAws) -> None:
    assert ecs.describe_services(clients, "school", []) == []
    assert scripted.calls == []


def test_every_page_of_tasks_is_read_and_described_a_hundred_a_call(
    clients: Clients, scripted: ScriptedAws
) -> None:
    arns = [f"{PREFIX}:task/school/{number:03}" for number in range(150)]
    scripted.answer(
        "ListTasks",
        {"taskArns": arns[:100], "nextToken": "more"},
        {"taskArns": arns[100:]},
    )

    def describe(request: dict[str, Any]) -> dict[str, Any]:
        found = [task_json(stopped(id_=arn.rpartition("/")[2])) for arn in request["tasks"]]
        return {"tasks": found, "failures": []}

    scripted.answer("DescribeTasks", describe)
    found = ecs.list_tasks(clients, "school", service="web", stopped=True)
    assert [task.arn for task in found] == arns
    first, second = scripted.requests("ListTasks")
    assert (first["desiredStatus"], first["serviceName"]) == ("STOPPED", "web")
    assert second["nextToken"] == "more"
    sizes = sorted(len(request["tasks"]) for request in scripted.requests("DescribeTasks"))
    assert sizes == [50, 100]


def test_a_task_that_is_gone_meanwhile_is_left_out(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer("ListTasks", {"taskArns": [f"{PREFIX}:task/school/1"]})
    missing = {"arn": f"{PREFIX}:task/school/1", "reason": "MISSING"}
    scripted.answer("DescribeTasks", {"tasks": [], "failures": [missing]})
    assert ecs.list_tasks(clients, "school") == []


def refs(*numbers: int, family: str = "web") -> list[str]:
    return [f"{PREFIX}:task-definition/{family}:{number}" for number in numbers]


def test_revisions_come_newest_first_and_of_that_family_alone(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer(
        "ListTaskDefinitions",
        {"taskDefinitionArns": [*refs(12, 9), *refs(3, family="web-2")], "nextToken": "more"},
        {"taskDefinitionArns": refs(10)},
    )
    found = ecs.list_revisions(clients, "web")
    assert [str(ref) for ref in found] == ["web:12", "web:10", "web:9"]
    [first, _] = scripted.requests("ListTaskDefinitions")
    assert (first["familyPrefix"], first["sort"], first["status"]) == ("web", "DESC", "ACTIVE")


def test_a_limit_reads_no_more_pages_than_it_takes(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer(
        "ListTaskDefinitions", {"taskDefinitionArns": refs(12, 11), "nextToken": "more"}
    )
    found = ecs.list_revisions(clients, "web", limit=2, active=False)
    assert [ref.revision for ref in found] == [12, 11]
    [request] = scripted.requests("ListTaskDefinitions")
    assert (request["maxResults"], request["status"]) == (2, "INACTIVE")


def test_many_revisions_take_few_threads(clients: Clients, scripted: ScriptedAws) -> None:
    seen: list[int] = []

    def describe(request: dict[str, Any]) -> dict[str, Any]:
        seen.append(sum(each.name == "aws" for each in threading.enumerate()))
        answer = {**DEFINITION, "taskDefinitionArn": request["taskDefinition"]}
        return {"taskDefinition": answer, "tags": []}

    scripted.answer("DescribeTaskDefinition", describe)
    refs = [
        TaskDefinitionRef("web", number, f"{PREFIX}:task-definition/web:{number}")
        for number in range(200, 0, -1)
    ]
    assert [each.ref for each in ecs.describe_revisions(clients, refs)] == refs
    assert max(seen) <= 64


def test_a_revision_is_read_without_its_read_only_fields(
    clients: Clients, scripted: ScriptedAws
) -> None:
    told = {
        **DEFINITION,
        "requiresAttributes": [{"name": "x"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredBy": "me",
        "registeredAt": 1_790_000_000.0,
    }
    tags = [{"key": "schoolctl:completed-at", "value": "2026-11-02T09:00:00Z"}]
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": told, "tags": tags})
    found = ecs.describe_revision(clients, NEW)
    assert found is not None
    assert set(found.definition) == {"family", "containerDefinitions"}
    assert found.ref == TaskDefinitionRef("web", 7)
    assert found.active
    assert found.completed_at == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert scripted.requests("DescribeTaskDefinition") == [
        {"taskDefinition": NEW.arn, "include": ["TAGS"]}
    ]


def test_an_edited_completion_tag_does_not_count(clients: Clients, scripted: ScriptedAws) -> None:
    tags = [{"key": "schoolctl:completed-at", "value": "yesterday"}]
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": tags})
    found = ecs.describe_revision(clients, NEW)
    assert found is not None
    assert found.completed_at is None


def test_a_revision_that_is_missing_is_none(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer(
        "DescribeTaskDefinition",
        Refusal("ClientException", "Unable to describe task definition."),
    )
    assert ecs.describe_revision(clients, "web:9") is None


def test_a_refusal_in_the_same_code_is_not_taken_for_missing(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeTaskDefinition", Refusal("ClientException", "You may not."))
    with pytest.raises(SchoolctlError, match="could not read task definition web:9"):
        ecs.describe_revision(clients, "web:9")
