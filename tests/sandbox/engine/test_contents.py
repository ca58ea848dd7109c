"""What a sandbox on a real engine has in it: the account, and the database."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest

from schoolctl.sandbox.host import port_holder

if TYPE_CHECKING:
    import docker

    from tests.sandbox.engine.project import Project

# One worker: the tests share a sandbox.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("sandbox")]


def test_up_again_changes_nothing(sandbox: Project) -> None:
    before = sandbox.overlay(), sandbox.state(), sandbox.json("status")
    again = sandbox.up()
    assert (again["changes"], again["new_account"]) == ([], False)
    assert (sandbox.overlay(), sandbox.state(), sandbox.json("status")) == before


def test_status_tells_that_all_of_it_is_up(sandbox: Project) -> None:
    status = sandbox.json("status")
    assert status["up"] is True
    assert {part["name"]: part["state"] for part in status["parts"]} == {
        "emulator": "up",
        "database": "up",
    }
    assert status["url"] == f"http://schoolapp-alb.alb.localhost:{sandbox.port}/"


def test_the_three_groups_form_the_documented_chain_and_nothing_more(sandbox: Project) -> None:
    groups = {
        each["GroupName"]: each
        for each in sandbox.client("ec2").describe_security_groups()["SecurityGroups"]
    }
    names = {each["GroupId"]: name for name, each in groups.items()}

    def edges(name: str) -> set[tuple[str, int]]:
        found = set()
        for rule in groups[name]["IpPermissions"]:
            assert rule["FromPort"] == rule["ToPort"]
            sources = [each["CidrIp"] for each in rule["IpRanges"]]
            sources += [names[each["GroupId"]] for each in rule["UserIdGroupPairs"]]
            found |= {(source, rule["ToPort"]) for source in sources}
        return found

    assert edges("schoolApp-alb-sg") == {("0.0.0.0/0", 80), ("0.0.0.0/0", 443)}
    assert edges("schoolApp-ecs-sg") == {("schoolApp-alb-sg", 3000)}
    assert edges("schoolApp-rds-sg") == {("schoolApp-ecs-sg", sandbox.state()["database_port"])}


def test_the_account_has_what_a_deployment_looks_for(sandbox: Project) -> None:
    cluster = sandbox.client("ecs").describe_clusters(clusters=["schoolapp"])["clusters"][0]
    assert cluster["status"] == "ACTIVE"
    for role in ("schoolapp-execution", "schoolapp-task"):
        trust = sandbox.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        assert "ecs-tasks.amazonaws.com" in json.dumps(trust)
    elb = sandbox.client("elbv2")
    group = elb.describe_target_groups(Names=["schoolapp-tg"])["TargetGroups"][0]
    assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == (
        "ip",
        3000,
        "/healthz",
    )
    balancer = elb.describe_load_balancers(Names=["schoolapp-alb"])["LoadBalancers"][0]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert [each["Port"] for each in listeners] == [80]
    assert listeners[0]["DefaultActions"][0]["TargetGroupArn"] == group["TargetGroupArn"]


def test_seeding_repairs_what_was_deleted(sandbox: Project) -> None:
    sandbox.client("iam").delete_role_policy(RoleName="schoolapp-task", PolicyName="read-settings")
    elb = sandbox.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["schoolapp-alb"])["LoadBalancers"][0]
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert sandbox.up()["changes"] == [
        "load balancer schoolapp-alb",
        "listener of schoolapp-alb for port 80",
    ]
    policies = sandbox.client("iam").list_role_policies(RoleName="schoolapp-task")["PolicyNames"]
    assert policies == ["read-settings"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_database_proves_who_it_is_under_each_name(sandbox: Project, host: str) -> None:
    with sandbox.login(host=host) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        assert cursor.fetchone() == ("Ssl_version", "TLSv1.3")


def test_the_database_takes_no_login_in_clear_text(sandbox: Project) -> None:
    # MariaDB 10.11 words it as a refused password; with TLS the very same password is taken.
    sandbox.login().close()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        sandbox.login(
            ssl_disabled=True, ssl_ca=None, ssl_verify_cert=None, ssl_verify_identity=None
        )


def test_a_client_with_another_authority_refuses_the_database(sandbox: Project) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        sandbox.login(ssl_ca=ssl.get_default_verify_paths().cafile)
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)


def test_a_rotated_password_survives_up_and_a_restart(
    sandbox: Project, engine: docker.DockerClient
) -> None:
    def rotate(old: str, new: str) -> None:
        with sandbox.login(password=old) as connection, connection.cursor() as cursor:
            cursor.execute("SET PASSWORD = PASSWORD(%s)", (new,))

    first = sandbox.state()["database_password"]
    rotate(first, "rotated")
    try:
        engine.containers.get(f"{sandbox.layout.owner}-db").restart()
        assert sandbox.up()["changes"] == []
    finally:
        rotate("rotated", first)


def test_no_secret_stands_where_others_can_read_it(
    sandbox: Project, engine: docker.DockerClient
) -> None:
    state = sandbox.state()
    secrets = [state["database_password"], state["secret_access_key"]]
    holder = port_holder(sandbox.port)
    assert holder is not None
    public = [
        json.dumps(engine.containers.get(f"{sandbox.layout.owner}-db").attrs),
        Path(f"/proc/{holder.pid}/cmdline").read_text(),
        sandbox.run("status").stdout,
        sandbox.run("logs").stdout,
        sandbox.run("up", "-v").stdout,
    ]
    assert [secret for secret in secrets for text in public if secret in text] == []
    root = sandbox.directory / ".schoolctl"
    modes = {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [root, *root.rglob("*")]
        if path.name != ".gitignore"
    }
    closed = {name: mode for name, mode in modes.items() if mode not in {0o600, 0o700}}
    assert closed == {}
