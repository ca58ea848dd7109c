"""What uses a repository's images, over every cluster and family of an account on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.images.stored.family import Needs
from schoolctl.images.stored.observe import observe_image_use
from schoolctl.model.images import Digest
from tests.scripted_aws import Refusal, ScriptedAws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws

REPOSITORY = "schoolapp-backend"
URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}"
WINDOW = 2
A, B = (Digest(f"sha256:{letter * 64}") for letter in "ab")


def clients_of(endpoint_url: str) -> Clients:
    return Clients(
        Connection(
            Setting(None, "test"), Setting("us-east-1", "test"), Setting(endpoint_url, "test")
        )
    )


@pytest.fixture
def clients(aws: Aws) -> Iterator[Clients]:
    made = clients_of(aws.endpoint_url)
    yield made
    made.close()


def register(aws: Aws, image: str, family: str = "web", *, completed: str | None = None) -> str:
    tags = [{"key": "schoolctl:completed-at", "value": completed}] if completed else []
    answer = aws.client("ecs").register_task_definition(
        family=family,
        containerDefinitions=[{"name": "web", "image": image, "memory": 512}],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        tags=tags,
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def serve(aws: Aws, arn: str, cluster: str = "school", name: str = "web") -> None:
    aws.client("ecs").create_cluster(clusterName=cluster)
    aws.client("ecs").create_service(
        cluster=cluster, serviceName=name, taskDefinition=arn, desiredCount=0, launchType="FARGATE"
    )


def observe(clients: Clients, window: int = WINDOW) -> Needs:
    return observe_image_use(clients, REPOSITORY, window=window)


def told(found: Needs) -> set[tuple[str, object]]:
    return {(use.by, use.digest or use.tag) for use in found.uses}


def test_an_empty_account_uses_nothing(clients: Clients) -> None:
    assert observe(clients) == Needs((), WINDOW, ())


def test_what_a_service_is_at_is_used_in_every_cluster(aws: Aws, clients: Clients) -> None:
    arn = register(aws, f"{URI}@{A}")
    serve(aws, arn)
    serve(aws, arn, cluster="other", name="copy")
    assert {("service school/web", A), ("service other/copy", A)} <= told(observe(clients))


def test_a_service_at_a_revision_that_was_deregistered_uses_its_image(
    aws: Aws, clients: Clients
) -> None:
    arn = register(aws, f"{URI}:1.0")
    serve(aws, arn)
    aws.client("ecs").deregister_task_definition(taskDefinition=arn)
    assert told(observe(clients)) == {("service school/web", "1.0")}


def test_a_task_on_its_own_uses_its_image(aws: Aws, clients: Clients) -> None:
    ecs = aws.client("ecs")
    arn = register(aws, f"{URI}:1.0", family="job")
    ecs.create_cluster(clusterName="school")
    network = {"awsvpcConfiguration": {"subnets": [_subnet(aws)], "securityGroups": []}}
    started = ecs.run_task(
        cluster="school", taskDefinition=arn, launchType="FARGATE", networkConfiguration=network
    )["tasks"][0]
    task = started["taskArn"].rpartition("/")[2]
    assert (f"task {task[:8]}", "1.0") in told(observe(clients))


def _subnet(aws: Aws) -> str:
    found: list[dict[str, Any]] = aws.client("ec2").describe_subnets()["Subnets"]
    return str(found[0]["SubnetId"])


def test_the_newest_revisions_of_every_family_are_used(aws: Aws, clients: Clients) -> None:
    for number in range(4):
        register(aws, f"{URI}:{number}")
    register(aws, f"{URI}:other", family="other")
    found = observe(clients)
    assert told(found) == {("web:4", "3"), ("web:3", "2"), ("other:1", "other")}
    assert [(use.by, use.tag) for use in found.outside] == [("web:2", "1"), ("web:1", "0")]


def test_the_last_that_completed_are_used_however_many_failed_since(
    aws: Aws, clients: Clients
) -> None:
    register(aws, f"{URI}:0", completed="2026-10-01T00:00:00Z")
    register(aws, f"{URI}:1", completed="2026-10-02T00:00:00Z")
    register(aws, f"{URI}:2", completed="2026-10-03T00:00:00Z")
    for number in range(3, 6):
        register(aws, f"{URI}:{number}")
    assert {tag for _, tag in told(observe(clients))} == {"1", "2", "4", "5"}


def test_what_is_used_says_why(aws: Aws, clients: Clients) -> None:
    serve(aws, register(aws, f"{URI}@{A}", completed="2026-10-01T00:00:00Z"))
    assert {use.reason for use in observe(clients).uses} == {
        "service school/web is at web:1",
        "web:1 is among the 2 newest revisions",
        "web:1 is among the last 2 that completed",
    }


@pytest.mark.parametrize(
    "image", ["python:3.11", "public.ecr.aws/x/y:1", f"{URI}-other:1.0", f"{URI}2@{A}"]
)
def test_an_image_of_another_repository_is_no_matter(
    aws: Aws, clients: Clients, image: str
) -> None:
    register(aws, image)
    assert observe(clients) == Needs((), WINDOW, ())


def test_the_same_name_in_another_registry_counts_as_used(aws: Aws, clients: Clients) -> None:
    register(aws, f"elsewhere.test/{REPOSITORY}@{B}")
    assert told(observe(clients)) == {("web:1", B)}


def test_a_name_without_a_tag_means_latest(aws: Aws, clients: Clients) -> None:
    register(aws, URI)
    assert told(observe(clients)) == {("web:1", "latest")}


@pytest.mark.parametrize(
    "call", ["ListClusters", "ListTaskDefinitionFamilies", "ListTaskDefinitions", "ListServices"]
)
def test_a_look_up_that_is_denied_is_an_error(scripted: ScriptedAws, call: str) -> None:
    scripted.answer("ListClusters", {"clusterArns": ["arn:aws:ecs:us-east-1:1:cluster/school"]})
    scripted.answer("ListTaskDefinitionFamilies", {"families": ["web"]})
    scripted.answer("ListTaskDefinitions", {"taskDefinitionArns": []})
    scripted.answer("ListServices", {"serviceArns": []})
    scripted.answer("ListTasks", {"taskArns": []})
    scripted._answers[call].clear()  # noqa: SLF001  # the test's own helper
    scripted.answer(call, Refusal("AccessDeniedException", f"not allowed: ecs:{call}"))
    clients = clients_of(scripted.endpoint_url)
    with pytest.raises(AccessDeniedError):
        observe(clients)
    clients.close()


def test_the_task_sets_of_another_controller_use_their_images(scripted: ScriptedAws) -> None:
    prefix = "arn:aws:ecs:us-east-1:123456789012"
    definition = f"{prefix}:task-definition/web:7"
    service = {
        "serviceArn": f"{prefix}:service/school/web",
        "serviceName": "web",
        "clusterArn": f"{prefix}:cluster/school",
        "status": "ACTIVE",
        "deployments": [],
        "taskSets": [{"status": "PRIMARY", "taskDefinition": definition}],
    }
    told_of = {"taskDefinitionArn": definition, "containerDefinitions": [{"image": f"{URI}@{A}"}]}
    scripted.answer("ListClusters", {"clusterArns": [service["clusterArn"]]})
    scripted.answer("ListTaskDefinitionFamilies", {"families": []})
    scripted.answer("ListServices", {"serviceArns": [service["serviceArn"]]})
    scripted.answer("DescribeServices", {"services": [service]})
    scripted.answer("ListTasks", {"taskArns": []})
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": told_of, "tags": []})
    clients = clients_of(scripted.endpoint_url)
    assert ("service school/web", A) in told(observe(clients))
    clients.close()


def test_a_revision_in_use_that_cannot_be_read_is_an_error(scripted: ScriptedAws) -> None:
    cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/school"
    definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"
    service = {
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/school/web",
        "serviceName": "web",
        "clusterArn": cluster,
        "status": "ACTIVE",
        "taskDefinition": definition,
        "deployments": [],
    }
    scripted.answer("ListClusters", {"clusterArns": [cluster]})
    scripted.answer("ListTaskDefinitionFamilies", {"families": []})
    scripted.answer("ListServices", {"serviceArns": [service["serviceArn"]]})
    scripted.answer("DescribeServices", {"services": [service]})
    scripted.answer("ListTasks", {"taskArns": []})
    scripted.answer(
        "DescribeTaskDefinition", Refusal("ClientException", "Unable to describe task definition.")
    )
    clients = clients_of(scripted.endpoint_url)
    with pytest.raises(SchoolctlError, match="web:7 cannot be read") as raised:
        observe(clients)
    assert "service school/web" in raised.value.why
    clients.close()
