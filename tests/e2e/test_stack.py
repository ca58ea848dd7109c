"""An empty account: the stack, an image, values, a deployment, a person; and all of it gone."""

from __future__ import annotations

import http.client
import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml

from tests.e2e.conftest import make_sandbox
from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Sandbox

CONFIG = """\
app: college
default_environment: sandbox
infra: {stack: true}
image: {context: .}
parameters:
  db_host: {env: PARAM_HOST_PATH, hidden: false, from: rds.endpoint}
  db_name: {env: PARAM_DB_NAME_PATH, hidden: false, from: rds.database}
  db_user: {env: PARAM_USER_PATH, hidden: false, from: rds.user}
secrets:
  db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}
task: {family: college, stop_timeout: 60}
service: {name: college, release_command: [python, -m, service.migrate]}
environments:
  sandbox: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566", registry: "127.0.0.1:4566"}
"""


@pytest.fixture
def empty(installed: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """Give a sandbox whose account is as empty as a new one."""
    made = make_sandbox(installed, tmp_path)
    (made.directory / "schoolctl.yaml").write_text(CONFIG)
    try:
        said = made.run("sandbox", "up", "--port", str(free_port())).out
        assert "  schoolctl -e sandbox infra up\n  schoolctl -e sandbox push --tag 1.0" in said
        yield made
    finally:
        made.run("sandbox", "down", code=None)


def client(sandbox: Sandbox, service: str) -> Any:
    """Give a plain boto3 client for the sandbox's account."""
    overlay = yaml.safe_load((sandbox.directory / ".schoolctl" / "sandbox.yaml").read_text())
    return boto3.client(  # type: ignore[call-overload]  # the name is a variable
        service,
        endpoint_url=overlay["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id=overlay["credentials"]["access_key_id"],
        aws_secret_access_key=overlay["credentials"]["secret_access_key"],
    )


def register(sandbox: Sandbox, name: str) -> tuple[int, dict[str, Any]]:
    """Register a person at the load balancer of this name in DNS."""
    overlay = yaml.safe_load((sandbox.directory / ".schoolctl" / "sandbox.yaml").read_text())
    host = overlay["endpoint_url"].partition("//")[2]
    person = {
        "name": "Ada Lovelace",
        "email": f"ada.{uuid.uuid4().hex[:12]}@school.example",
        "phone": "+44 20 7946 0958",
        "program": "Mathematics",
    }
    connection = http.client.HTTPConnection(host, timeout=20)
    headers = {"Host": name, "Content-Type": "application/json"}
    connection.request("POST", "/api/register", json.dumps(person), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_an_empty_account_is_laid_used_and_left_empty(empty: Sandbox) -> None:
    assert client(empty, "ecs").list_clusters()["clusterArns"] == []
    laid = empty.json("infra", "up")
    assert laid["status"] == "CREATE_COMPLETE"
    assert "the network is as documented" in empty.run("network", "check").err
    empty.run("push", "--tag", "1.0")
    empty.run("params", "set", "--from-file", ".schoolctl/sandbox.env")
    empty.run("deploy", "--tag", "1.0")

    status, answer = register(empty, laid["outputs"]["LoadBalancerDns"])
    assert (status, answer["message"]) == (201, "User created")
    assert "nothing to do" in empty.run("deploy", "--tag", "1.0").err

    again = empty.run("infra", "up")
    assert "nothing to do" in again.err
    assert empty.json("infra", "plan")["changes"] == []

    refused = empty.run("infra", "down", "--yes", code=1)
    assert "a service runs in cluster college-sandbox" in refused.err
    empty.run("scale", "0", "--yes")
    gone = empty.json("infra", "down", "--yes")
    assert gone["deleted"] is True
    assert_nothing_left(empty)


def assert_nothing_left(sandbox: Sandbox) -> None:
    """Look for everything that the stack made: the log group alone is kept."""
    groups = client(sandbox, "ec2").describe_security_groups()["SecurityGroups"]
    roles = client(sandbox, "iam").list_roles()["Roles"]
    balancing = client(sandbox, "elbv2")
    assert [each for each in groups if each["GroupName"].startswith("college")] == []
    assert [each for each in roles if each["RoleName"].startswith("college")] == []
    assert balancing.describe_load_balancers()["LoadBalancers"] == []
    assert balancing.describe_target_groups()["TargetGroups"] == []
    assert client(sandbox, "ecs").list_clusters()["clusterArns"] == []
    logs = client(sandbox, "logs").describe_log_groups()["logGroups"]
    assert [each["logGroupName"] for each in logs] == ["/ecs/college-sandbox"]
    # It is taken over by the next one, and not in its way.
    assert sandbox.json("infra", "up")["status"] == "CREATE_COMPLETE"
    sandbox.run("infra", "down", "--yes", "--delete-data")
    assert client(sandbox, "logs").describe_log_groups()["logGroups"] == []
