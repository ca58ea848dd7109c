"""What `network` may be denied, and that the table of permissions has just the calls it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.iam.permissions import permissions_of
from tests.worlds.laid import ANYWHERE

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.faults import Faults
    from tests.worlds.laid import Network

SPARED = {
    "DescribeServices": "what the service uses",
    "DescribeTargetGroups": "the target group and its load balancer",
    "DescribeLoadBalancers": "the target group and its load balancer",
    "DescribeDBInstances": "what the database uses",
    "DescribeDBClusters": "what the database uses",
    "GetParameters": "which database the service uses",
    "DescribeRouteTables": "the routes of the VPC",
    "DescribeVpcEndpoints": "the endpoints of the VPC",
    "DescribeNetworkInterfaces": "who else has the security groups",
}
NEEDED = ("DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeSubnets")


@pytest.mark.parametrize("call", SPARED)
def test_a_read_that_can_be_spared_is_told_and_no_difference(
    project: Project, network: Network, faults: Faults, call: str
) -> None:
    del network
    faults.deny(call, f"x:{call}")
    done = project.invoke("network", "check")
    assert done.exit_code == ExitCode.DONE, done.output
    assert f"warning: not verified: {SPARED[call]} (x:{call} is denied)\n" in done.stderr


@pytest.mark.parametrize("call", NEEDED)
def test_a_read_without_which_nothing_is_known_ends_the_command(
    project: Project, network: Network, faults: Faults, call: str
) -> None:
    del network
    faults.deny(call, f"x:{call}")
    done = project.invoke("network", "check")
    assert done.exit_code == ExitCode.FAILED
    assert f"x:{call}" in done.stderr


def test_the_table_has_just_the_calls_that_are_made(
    project: Project, network: Network, faults: Faults
) -> None:
    network.allow(network.database, 3306, ANYWHERE)
    network.forbid(network.service, 3000, network.alb)
    network.close_egress(network.service)
    network.rds.delete_db_instance(DBInstanceIdentifier="school", SkipFinalSnapshot=True)
    network.ec2.delete_security_group(GroupId=network.database)
    network.allow(network.alb, 22, ANYWHERE)
    faults.calls.clear()
    done = project.invoke("network", "apply", "--fix", "--yes")
    assert done.exit_code == ExitCode.DONE, done.output
    # Tags of a new group are part of the call that makes it.
    called = {*faults.calls, "CreateTags"} - {"GetCallerIdentity"}
    allowed = {each.action.partition(":")[2] for each in permissions_of("network apply")}
    assert called == allowed
