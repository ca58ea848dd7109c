"""`network apply`: what it adds, what it removes and when, and that it does so once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.laid import ANYWHERE
from tests.worlds.wrong import WRONG

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.worlds.laid import Network

DOCUMENTED = [
    ("SG-ALB", "tcp", "443", "443", ANYWHERE),
    ("SG-ALB", "tcp", "80", "80", ANYWHERE),
    ("SG-ECS", "tcp", "3000", "3000", "SG-ALB"),
    ("SG-RDS", "tcp", "3306", "3306", "SG-ECS"),
]
CHANGING = {
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "RevokeSecurityGroupIngress",
}
CHANGED_GROUPS = {"database-in-another-vpc", "other-group-in-use"}
"""Networks in which other groups have the rules afterwards."""


@pytest.mark.parametrize("name", WRONG)
def test_fix_repairs_a_wrong_network_and_then_changes_nothing(
    project: Project, network: Network, faults: Faults, name: str
) -> None:
    WRONG[name].make(network)
    done = project.invoke("network", "apply", "--fix", "--yes")
    assert done.exit_code == ExitCode.DONE, done.output
    checked = project.invoke("network", "check")
    expected = ExitCode.DONE if WRONG[name].by_rules else ExitCode.DIFFERENCES
    assert checked.exit_code == expected, checked.output
    if name not in CHANGED_GROUPS | {"web-over-ipv6-only"}:
        assert network.rules() == DOCUMENTED
    before = network.rules()
    faults.calls.clear()
    again = project.invoke("network", "apply", "--fix", "--yes")
    assert "nothing to do: the groups of schoolapp in dev are as documented" in again.stderr
    assert CHANGING & set(faults.calls) == set()
    assert network.rules() == before


@pytest.mark.parametrize(
    "name", ["references-crossed", "service-range-alone", "service-closed-egress"]
)
def test_without_fix_no_rule_is_removed(project: Project, network: Network, name: str) -> None:
    WRONG[name].make(network)
    before = network.rules()
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.DONE, done.output
    assert set(before) <= set(network.rules())


def test_an_empty_account_gets_the_three_groups(
    project: Project, aws: Aws, network_names: None
) -> None:
    del network_names
    done = project.invoke("network", "apply", "--json")
    created = json.loads(done.stdout)["created"]
    assert done.exit_code == ExitCode.DONE
    assert list(created) == ["schoolApp-alb-sg", "schoolApp-ecs-sg", "schoolApp-rds-sg"]
    groups = aws.client("ec2").describe_security_groups(GroupIds=list(created.values()))
    assert [
        {each["Key"]: each["Value"] for each in group["Tags"]} for group in groups["SecurityGroups"]
    ] == [{"Name": name, "schoolctl": "schoolapp", "environment": "dev"} for name in created]
    document = json.loads(project.invoke("network", "check", "--json").stdout)
    assert {each["status"] for each in document["edges"]} == {"ok"}


def test_the_plan_alone_changes_nothing(project: Project, network: Network, faults: Faults) -> None:
    WRONG["references-crossed"].make(network)
    faults.calls.clear()
    done = project.invoke("network", "apply", "--fix", "--dry-run")
    assert CHANGING & set(faults.calls) == set()
    lines = network.readable(done.stderr).splitlines()
    assert lines[-5:] == [
        "lay the network of schoolapp in dev: 2 rules added, 2 rules removed.",
        "  1. allow tcp 3000 from SG-ALB (schoolApp-alb-sg) in SG-ECS (schoolApp-ecs-sg)",
        "  2. allow tcp 3306 from SG-ECS (schoolApp-ecs-sg) in SG-RDS (schoolApp-rds-sg)",
        (
            "  3. remove tcp 3000 from group SG-RDS (schoolApp-rds-sg) from SG-ECS"
            " (schoolApp-ecs-sg) (RULE-1)"
        ),
        (
            "  4. remove tcp 3306 from group SG-ALB (schoolApp-alb-sg) from SG-RDS"
            " (schoolApp-rds-sg) (RULE-2)"
        ),
    ]


def test_without_a_terminal_nothing_is_removed_unless_agreed(
    project: Project, network: Network
) -> None:
    network.allow(network.database, 3306, ANYWHERE)
    before = network.rules()
    done = project.invoke("network", "apply", "--fix")
    assert done.exit_code == ExitCode.FAILED
    assert "with --yes to agree to it" in done.stderr
    assert network.rules() == before


def test_a_protected_environment_wants_its_name(project: Project, network: Network) -> None:
    network.forbid(network.database, 3306, network.service)
    done = project.invoke("-e", "prod", "network", "apply", "--yes")
    assert done.exit_code == ExitCode.FAILED
    assert "add --confirm schoolapp-backend" in done.stderr
    agreed = project.invoke("-e", "prod", "network", "apply", "--confirm", "schoolapp-backend")
    assert agreed.exit_code == ExitCode.DONE
    assert network.rules() == DOCUMENTED


def test_rules_that_are_too_many_stay_and_are_told(project: Project, network: Network) -> None:
    network.allow(network.database, 3306, ANYWHERE)
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.DONE
    assert network.readable(done.stderr).splitlines() == [
        (
            "warning: 1 rule too many stays: `schoolctl network check` shows them,"
            " `schoolctl network apply --fix` removes them"
        ),
        "nothing to add to the groups of schoolapp in dev",
    ]


def test_whose_group_it_is_besides_is_told_before_its_rules_change(
    project: Project, network: Network
) -> None:
    network.rds.create_db_instance(
        DBInstanceIdentifier="library",
        Engine="mysql",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="canary-password",
        VpcSecurityGroupIds=[network.database],
    )
    made = network.ec2.create_network_interface(
        SubnetId=network.subnets[0], Groups=[network.database], Description="a bastion"
    )["NetworkInterface"]["NetworkInterfaceId"]
    network.allow(network.database, 3306, ANYWHERE)
    done = project.invoke("network", "apply", "--fix", "--dry-run")
    assert (
        f"warning: {network.database} (schoolApp-rds-sg) is used by others, too: RDS instance"
        f" library, interface {made} (a bastion)\n"
    ) in done.stderr


def test_a_group_that_schoolctl_yaml_does_not_name_is_told_of(
    project: Project, network: Network
) -> None:
    WRONG["other-group-in-use"].make(network)
    done = project.invoke("network", "apply", "--dry-run")
    assert (
        "warning: service schoolapp-backend does not have SG-ECS (schoolApp-ecs-sg), which"
        " network.service_group names: it has SG-LAUNCH-WIZARD-1 (launch-wizard-1)\n"
    ) in network.readable(done.stderr)


def test_a_rule_that_somebody_added_meanwhile_is_no_failure(
    project: Project, network: Network, faults: Faults
) -> None:
    network.forbid(network.database, 3306, network.service)
    network.forbid(network.alb, 80, ANYWHERE)
    faults.answer(
        "AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", "it already exists"
    )
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.DONE
    assert "allow tcp 80 from 0.0.0.0/0" in done.stderr
    assert ": it is allowed already\n" in done.stderr


def test_a_new_group_that_is_not_visible_yet_is_waited_for(
    project: Project, network_names: None, faults: Faults
) -> None:
    del network_names
    for _ in range(2):
        faults.answer(
            "AuthorizeSecurityGroupIngress",
            "InvalidGroup.NotFound",
            "The security group 'sg-0a1b2c3d' does not exist",
        )
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.DONE, done.output
    assert "waiting up to a minute" in done.stderr


def test_a_group_whose_creation_lost_its_answer_is_taken_on(
    project: Project, network_names: None, faults: Faults
) -> None:
    del network_names
    faults.lose_reply("CreateSecurityGroup")
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.DONE, done.output
    assert "which was made meanwhile" in done.stderr


def test_a_denied_rule_tells_of_the_tag(project: Project, network: Network, faults: Faults) -> None:
    network.forbid(network.database, 3306, network.service)
    faults.answer(
        "AuthorizeSecurityGroupIngress",
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    )
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.FAILED
    assert "ec2:AuthorizeSecurityGroupIngress" in done.stderr
    assert "--tags Key=schoolctl,Value=schoolapp" in done.stderr


def test_a_group_by_an_id_that_leads_nowhere_is_refused(project: Project, aws: Aws) -> None:
    del aws
    file = project.directory / "schoolctl.yaml"
    file.write_text(
        file.read_text().replace(
            "service:\n", "network: {database_group: sg-0a1b2c3d4e5f60718}\nservice:\n", 1
        )
    )
    done = project.invoke("network", "apply")
    assert done.exit_code == ExitCode.FAILED
    assert "security group sg-0a1b2c3d4e5f60718: correct network.database_group" in done.stderr
