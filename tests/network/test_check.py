"""`network check`: what it says of a right network and of each wrong one, to the letter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from tests.snapshots import check_snapshot
from tests.worlds.account import edit
from tests.worlds.wrong import RIGHT, WRONG

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.worlds.laid import Network


def test_the_documented_network_is_right(project: Project, network: Network) -> None:
    done = project.invoke("network", "check")
    check_snapshot("network/right.txt", network.readable(done.output))
    assert done.exit_code == ExitCode.DONE


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_network_is_told_to_the_letter(
    project: Project, network: Network, name: str
) -> None:
    WRONG[name].make(network)
    done = project.invoke("network", "check")
    check_snapshot(f"network/{name}.txt", network.readable(done.output))
    assert done.exit_code == ExitCode.DIFFERENCES


@pytest.mark.parametrize("name", RIGHT)
def test_a_network_that_lets_in_the_same_is_right(
    project: Project, network: Network, name: str
) -> None:
    RIGHT[name](network)
    done = project.invoke("network", "check")
    assert done.exit_code == ExitCode.DONE, done.output
    assert "the network is as documented" in done.stderr


def test_groups_may_be_named_by_their_ids(project: Project, network: Network) -> None:
    for name, group in (("alb", network.alb), ("ecs", network.service), ("rds", network.database)):
        edit(project.directory, f"_group: schoolApp-{name}-sg", f"_group: {group}")
    done = project.invoke("network", "check")
    assert done.exit_code == ExitCode.DONE, done.output
    assert network.readable(done.stderr) == "the network is as documented\n"


def test_a_name_may_hold_the_environment(project: Project, network: Network) -> None:
    edit(project.directory, "alb_group: schoolApp-alb-sg", 'alb_group: "web-{environment}"')
    done = project.invoke("network", "check")
    assert (
        "load balancer school has SG-ALB (schoolApp-alb-sg); network.alb_group names web-dev,"
        " which is not there\n"
    ) in network.readable(done.stderr)


def test_a_service_without_a_target_group_is_judged_by_its_groups(
    project: Project, network: Network
) -> None:
    del network
    edit(project.directory, "target_group: schoolapp-tg", "target_group: null")
    done = project.invoke("network", "check", "--json")
    assert done.exit_code == ExitCode.DONE, done.output
    assert json.loads(done.stdout)["groups"]["alb"]["used_by"] is None


def test_the_groups_of_an_aurora_cluster_count(project: Project, network: Network) -> None:
    other = network.group("aurora")
    made = network.rds.create_db_cluster(
        DBClusterIdentifier="aurora-1",
        Engine="aurora-mysql",
        MasterUsername="admin",
        MasterUserPassword="canary-password",
        VpcSecurityGroupIds=[other],
    )["DBCluster"]
    network.aws.client("ssm").put_parameter(
        Name="/schoolapp/dev/db_host",
        Value=made["Endpoint"],
        Type="SecureString",
        Overwrite=True,
    )
    done = project.invoke("network", "check", "--json")
    document = json.loads(network.readable(done.stdout))
    assert document["groups"]["database"]["used_by"] == "RDS cluster aurora-1"
    assert [each["what"] for each in document["findings"]] == [
        "service -> database: port 3306 is not allowed"
    ]


def test_an_empty_account_lacks_everything(project: Project, network_names: None) -> None:
    del network_names
    done = project.invoke("network", "check", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == ExitCode.DIFFERENCES
    assert document["ok"] is False
    assert [each["status"] for each in document["edges"]] == ["missing"] * 4
    assert [each["what"] for each in document["findings"]][:4] == [
        "the load balancer has no security group schoolApp-alb-sg",
        "the service has no security group schoolApp-ecs-sg",
        "the database has no security group schoolApp-rds-sg",
        "there is no target group schoolapp-tg",
    ]


def test_the_document_has_group_rule_and_cure(project: Project, network: Network) -> None:
    network.allow(network.database, 3306, "0.0.0.0/0")
    done = project.invoke("network", "check", "--json")
    [finding] = json.loads(network.readable(done.stdout))["findings"]
    assert finding == {
        "kind": "extra",
        "severity": "fail",
        "what": "the database lets in tcp 3306 from anywhere (0.0.0.0/0)",
        "where": "SG-RDS (schoolApp-rds-sg), rule RULE-5",
        "group_id": "SG-RDS",
        "rule_id": "RULE-5",
        "why": "anybody who reaches the database may try passwords there; only the service is to"
        " reach it",
        "cure": [
            (
                "aws ec2 revoke-security-group-ingress --group-id SG-RDS"
                " --security-group-rule-ids RULE-5"
            )
        ],
        "fixed_by": "schoolctl network apply --fix",
    }


def test_each_cure_is_a_command_that_cures(project: Project, network: Network) -> None:
    WRONG["database-from-the-vpc-range"].make(network)
    document = json.loads(project.invoke("network", "check", "--json").stdout)
    assert [network.readable(line) for each in document["findings"] for line in each["cure"]] == [
        (
            "aws ec2 authorize-security-group-ingress --group-id SG-RDS --protocol tcp --port 3306"
            " --source-group SG-ECS"
        ),
        "aws ec2 revoke-security-group-ingress --group-id SG-RDS --security-group-rule-ids RULE-1",
    ]
