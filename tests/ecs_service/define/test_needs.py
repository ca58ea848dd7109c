"""What is missing around a service, and what each name stands for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schoolctl.base.errors import AccessDeniedError, MissingThingsError
from schoolctl.ecs_service.define.needs import Denied, Gaps, Places, ServiceNeeds, resolve_service
from schoolctl.ecs_service.define.task_needs import TaskNeeds, resolve_task
from schoolctl.model.surroundings import Role, SecurityGroup, Subnet, TargetGroup
from schoolctl.model.values import SecretInfo
from tests.worlds.deploy_scenes import NAMES, NETWORK, NOW, SECRET_ARN, TARGET_GROUP, config

PARAMETERS = frozenset(f"/schoolapp/dev/{key}" for key in ("db_host", "db_name", "db_user"))
GROUP = TargetGroup(TARGET_GROUP, "schoolapp-tg", "ip", "vpc-1", ("lb",))
SUBNETS = (Subnet("subnet-a", "vpc-1"), Subnet("subnet-b", "vpc-1"))
GROUPS = (SecurityGroup("sg-1", "schoolApp-ecs-sg", "vpc-1"),)
AROUND = ServiceNeeds(PARAMETERS, True, GROUP, SUBNETS, GROUPS, True)
TASK = TaskNeeds(
    "us-east-1",
    None,
    {name: Role(arn) for name, arn in NAMES.role_arns.items()},
    {"db_password": SecretInfo("schoolapp/dev/db_password", SECRET_ARN, NOW)},
)


def denied(action: str) -> Denied:
    return Denied(AccessDeniedError("could not look", action=action))


def around(extra: str = "", *, creating: bool = True, **changes: Any) -> tuple[Places, Gaps]:
    gaps = Gaps(" -e dev")
    found = replace(AROUND, **changes)
    return resolve_service(config(extra), found, gaps, creating=creating), gaps


def task(extra: str = "", **changes: Any) -> Gaps:
    gaps = Gaps(" -e dev")
    resolve_task(config(extra), replace(TASK, **changes), gaps)
    return gaps


def test_where_everything_is_there_nothing_is_missing() -> None:
    places, gaps = around()
    assert gaps == Gaps(" -e dev")
    assert places == Places(NETWORK, TARGET_GROUP, create_log_group=False)
    assert task() == Gaps(" -e dev")


MISSING: dict[str, tuple[dict[str, Any], str, str]] = {
    "cluster": ({"cluster": False}, "cluster schoolapp", "aws ecs create-cluster"),
    "a parameter": (
        {"parameters": PARAMETERS - {"/schoolapp/dev/db_name"}},
        "parameter /schoolapp/dev/db_name",
        "`schoolctl params set db_name -e dev`",
    ),
    "target group": (
        {"target_group": None},
        "target group schoolapp-tg",
        "--name schoolapp-tg --protocol HTTP --port 3000 --target-type ip --vpc-id vpc-1",
    ),
    "a target group for addresses": (
        {"target_group": replace(GROUP, target_type="instance")},
        "target group schoolapp-tg of type `ip`",
        "make another target group",
    ),
    "a target group in this VPC": (
        {"target_group": replace(GROUP, vpc_id="vpc-9")},
        "target group schoolapp-tg in vpc-1 (it is in vpc-9)",
        "correct `service.subnets`",
    ),
    "a listener": (
        {"target_group": replace(GROUP, load_balancer_arns=())},
        "a listener that forwards to target group schoolapp-tg",
        f"TargetGroupArn={TARGET_GROUP}",
    ),
    "subnets": ({"subnets": ()}, "default subnets", "aws ec2 create-default-vpc"),
    "one VPC": (
        {"subnets": (*SUBNETS, Subnet("subnet-c", "vpc-2"))},
        "subnets of one VPC (these are of vpc-1, vpc-2)",
        "narrow",
    ),
    "a security group": (
        {"security_groups": ()},
        "security group schoolApp-ecs-sg in vpc-1",
        "create-security-group --group-name schoolApp-ecs-sg --vpc-id vpc-1",
    ),
    "a security group in this VPC": (
        {"security_groups": (replace(GROUPS[0], vpc_id="vpc-2"),)},
        "security group schoolApp-ecs-sg in vpc-1",
        "create-security-group",
    ),
}


@pytest.mark.parametrize(("changes", "what", "cure"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_named_with_its_cure(
    changes: dict[str, Any], what: str, cure: str
) -> None:
    [line] = around(**changes)[1].missing
    assert line.startswith(f"{what}")
    assert cure in line


def test_ids_and_tags_that_lead_nowhere_are_named() -> None:
    _, gaps = around("service: {subnets: [subnet-0a, subnet-0b]}", subnets=())
    assert [line.partition(":")[0] for line in gaps.missing][:2] == [
        "subnet subnet-0a",
        "subnet subnet-0b",
    ]
    _, gaps = around("service: {subnets: {tier: web}}", subnets=())
    assert gaps.missing[0].startswith("subnets with the tags tier=web:")
    _, gaps = around("service: {security_groups: [sg-0123]}", security_groups=())
    assert gaps.missing == ["security group sg-0123: correct `service.security_groups`"]


def test_a_listener_is_only_a_warning_once_the_service_is_there() -> None:
    _, gaps = around(creating=False, target_group=replace(GROUP, load_balancer_arns=()))
    assert gaps.missing == []
    assert len(gaps.warnings) == 1


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"health_path": "/"}, "--health-check-path /healthz"),
        ({"health_port": "8080"}, "--health-check-port traffic-port"),
    ],
)
def test_a_health_check_that_no_task_answers_is_warned_of(
    changes: dict[str, Any], cure: str
) -> None:
    _, gaps = around(target_group=replace(GROUP, **changes))
    assert gaps.missing == []
    [warning] = gaps.warnings
    assert warning.startswith("target group schoolapp-tg asks ")
    assert cure in warning


def test_a_role_that_trusts_others_is_named_with_its_cure() -> None:
    gaps = task(roles={"schoolapp-execution": Role("arn:aws:iam::1:role/x", trusts_tasks=False)})
    [line] = gaps.missing
    assert line.startswith(
        "trust in ecs-tasks.amazonaws.com in execution role schoolapp-execution: `aws iam"
        " update-assume-role-policy --role-name schoolapp-execution --policy-document '{"
    )


def test_a_secret_without_a_value_is_named_with_its_cure() -> None:
    empty = SecretInfo("schoolapp/dev/db_password", SECRET_ARN, NOW, has_value=False)
    assert task(secrets={"db_password": empty}).missing == [
        "a value of secret schoolapp/dev/db_password: `schoolctl secrets set db_password -e dev`"
    ]


def test_everything_is_named_at_once() -> None:
    _, gaps = around(cluster=False, subnets=(), target_group=None, parameters=frozenset())
    assert len(gaps.missing) == 4
    with pytest.raises(MissingThingsError) as caught:
        gaps.refuse("deploy web")
    assert caught.value.what == "cannot deploy web: 4 things missing; nothing was changed"
    assert caught.value.missing == tuple(gaps.missing)


def test_a_missing_log_group_is_made_not_missed() -> None:
    places, gaps = around(log_group=False)
    assert places.create_log_group
    assert gaps.missing == []


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"parameters": denied("ssm:GetParameters")}, "ssm:GetParameters"),
        ({"log_group": denied("logs:DescribeLogGroups")}, "logs:DescribeLogGroups"),
    ],
)
def test_a_denied_read_is_a_warning_that_names_the_action(
    changes: dict[str, Any], action: str
) -> None:
    _, gaps = around(**changes)
    assert gaps.missing == []
    assert gaps.warnings == [line for line in gaps.warnings if f"{action} is denied" in line]
    assert len(gaps.warnings) == 1


def test_ids_are_taken_as_they_are_where_nobody_may_look() -> None:
    places, gaps = around(
        "service: {subnets: [subnet-0a], security_groups: [sg-0b],"
        f" target_group: '{TARGET_GROUP}'}}",
        subnets=denied("ec2:DescribeSubnets"),
        security_groups=denied("ec2:DescribeSecurityGroups"),
        target_group=denied("elasticloadbalancing:DescribeTargetGroups"),
    )
    assert places.network == {
        "awsvpcConfiguration": {
            "subnets": ["subnet-0a"],
            "assignPublicIp": "ENABLED",
            "securityGroups": ["sg-0b"],
        }
    }
    assert places.target_group_arn == TARGET_GROUP
    assert len(gaps.warnings) == 3


def test_names_cannot_be_resolved_where_nobody_may_look() -> None:
    refused = denied("ec2:DescribeSubnets")
    places, _ = around(subnets=refused, target_group=refused)
    assert places.network is refused
    assert places.target_group_arn is refused


def test_without_security_groups_the_vpcs_default_one_is_left_to_ecs() -> None:
    places, _ = around("service: {security_groups: []}", security_groups=())
    assert isinstance(places.network, dict)
    assert "securityGroups" not in places.network["awsvpcConfiguration"]


def test_missing_roles_and_secrets_are_named_with_their_cures() -> None:
    gaps = task(
        roles={"schoolapp-execution": None, "schoolapp-task": None}, secrets={"db_password": None}
    )
    execution, own, secret = gaps.missing
    assert execution.startswith("execution role schoolapp-execution: `aws iam create-role")
    assert "AmazonECSTaskExecutionRolePolicy" in execution
    assert own.startswith("task role schoolapp-task: ")
    assert "attach-role-policy" not in own
    assert secret == (
        "secret schoolapp/dev/db_password: `schoolctl secrets set db_password -e dev`"
    )


def test_a_secret_that_is_being_deleted_is_missing() -> None:
    leaving = SecretInfo("s", SECRET_ARN, NOW, deleted_at=NOW + timedelta(days=7))
    [line] = task(secrets={"db_password": leaving}).missing
    assert "scheduled for deletion" in line
    assert "--restore" in line


def test_a_role_that_may_not_be_read_is_named_by_the_account() -> None:
    gaps = Gaps()
    refused = denied("iam:GetRole")
    found = replace(
        TASK, account="123456789012", roles={"schoolapp-execution": refused, "arn:x": refused}
    )
    names = resolve_task(config(), found, gaps)
    assert names.role_arns == {
        "schoolapp-execution": "arn:aws:iam::123456789012:role/schoolapp-execution",
        "arn:x": "arn:x",
    }
    assert gaps.warnings == [
        (
            "execution role schoolapp-execution and task role arn:x were not verified:"
            " iam:GetRole is denied"
        )
    ]


def test_a_secret_that_may_not_be_read_is_an_error_unless_its_arn_is_given() -> None:
    refused = denied("secretsmanager:DescribeSecret")
    with pytest.raises(AccessDeniedError):
        task(secrets={"db_password": refused})
    gaps = task(
        f"secrets: {{db_password: {{arn: '{SECRET_ARN}'}}}}", secrets={"db_password": refused}
    )
    assert gaps.missing == []
    assert len(gaps.warnings) == 1
