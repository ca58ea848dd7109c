"""The policies that follow from the one table of permissions, for a configuration's ARNs."""

from __future__ import annotations

from typing import Any

import pytest

from schoolctl.iam.permission import Case, On
from schoolctl.iam.permissions import LOCAL, commands, permissions_of
from schoolctl.iam.policy import (
    LONGEST,
    Scope,
    documents,
    length,
    needed,
    resources,
    statement,
    statements,
    to_simulate,
)
from scripts.reference import help_pages
from tests.worlds.deploy_scenes import config

A = "arn:aws:ecs:us-east-1:123456789012"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"


def scope(extra: str = "") -> Scope:
    return Scope(config(extra), "us-east-1", "123456789012")


def actions(made: list[dict[str, Any]]) -> set[str]:
    return {action for each in made for action in each["Action"]}


def test_every_command_is_in_the_table() -> None:
    pages = [path.removeprefix("schoolctl").strip() for path, _ in help_pages()]
    groups = {path.rpartition(" ")[0] for path in pages}
    every = {path for path in pages if path not in groups}
    assert every == {*commands(), *LOCAL}


def test_a_command_that_asks_aws_nothing_needs_nothing() -> None:
    assert permissions_of("build", "config show") == ()


def test_an_unknown_command_is_an_error() -> None:
    with pytest.raises(KeyError):
        permissions_of("nosuch")


def test_what_one_command_needs_is_no_option_for_both() -> None:
    optional = {each.action for each in permissions_of("deploy") if each.is_optional}
    both = {each.action for each in permissions_of("deploy", "params get") if each.is_optional}
    assert "ssm:GetParameters" in optional - both


def test_what_the_configuration_does_not_have_needs_no_permission() -> None:
    without = {each.action for each in needed(config(), "deploy")}
    assert "ecs:RunTask" not in without
    released = config("service: {release_command: [migrate]}\n")
    assert "ecs:RunTask" in {each.action for each in needed(released, "deploy")}


def test_each_kind_of_resource_has_its_arns() -> None:
    found = {on: resources(on, scope()) for on in On}
    assert found[On.SERVICE_DEPLOYMENTS] == (
        f"{A}:service/schoolapp/schoolapp-backend",
        f"{A}:service-deployment/schoolapp/schoolapp-backend/*",
    )
    assert found[On.LOCK] == (
        "arn:aws:ssm:us-east-1:123456789012:parameter/schoolctl/schoolapp/dev/lock",
    )
    assert found[On.PASSED_ROLES] == (
        "arn:aws:iam::123456789012:role/schoolapp-execution",
        "arn:aws:iam::123456789012:role/schoolapp-task",
    )
    assert all(found.values())


def test_no_alarm_is_changed_but_those_of_the_service_s_auto_scaling() -> None:
    alarms = "arn:aws:cloudwatch:us-east-1:123456789012:alarm"
    made = statements(needed(config(), "scale"), scope())
    assert {
        action: each["Resource"]
        for each in made
        for action in each["Action"]
        if action.startswith("cloudwatch:")
    } == {
        "cloudwatch:DescribeAlarms": f"{alarms}:*",
        "cloudwatch:PutMetricAlarm": (
            f"{alarms}:TargetTracking-service/schoolapp/schoolapp-backend-*"
        ),
        "cloudwatch:DeleteAlarms": (
            f"{alarms}:TargetTracking-service/schoolapp/schoolapp-backend-*"
        ),
    }


def test_another_partition_has_other_arns() -> None:
    china = Scope(config(), "cn-north-1", "123456789012")
    assert resources(On.REPOSITORY, china) == (
        "arn:aws-cn:ecr:cn-north-1:123456789012:repository/schoolapp-backend",
    )


@pytest.mark.parametrize(
    ("arn", "pattern"),
    [
        (f"{SECRET}school-AbCdEf", f"{SECRET}school-AbCdEf"),
        (f"{SECRET}school", f"{SECRET}school-??????"),
    ],
)
def test_a_secret_that_exists_is_meant_by_its_arn(arn: str, pattern: str) -> None:
    given = scope(f'secrets: {{db_password: {{env: DB_SECRET_ARN, arn: "{arn}"}}}}\n')
    assert resources(On.SECRETS, given) == (pattern,)


def test_a_role_is_passed_to_tasks_and_to_nothing_else() -> None:
    passing = [
        each
        for each in statements(needed(config(), "deploy"), scope())
        if "iam:PassRole" in each["Action"]
    ]
    assert [each["Condition"] for each in passing] == [
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    ]
    assert [each["Action"] for each in passing] == [["iam:PassRole"]]


def test_a_permission_is_simulated_with_its_context() -> None:
    asked = {each.permission.action: each for each in to_simulate(needed(config(), "run"), scope())}
    assert asked["ecs:RunTask"].resources == (f"{A}:task-definition/schoolapp-backend:*",)
    assert asked["ecs:RunTask"].context == {"ecs:cluster": f"{A}:cluster/schoolapp"}
    assert asked["ecs:DescribeTaskDefinition"].resources == ("*",)


def test_what_does_not_fit_one_policy_is_split_and_nothing_is_lost() -> None:
    made = [statement([f"ecs:{'A' * 400}{number}"], ["*"]) for number in range(40)]
    found = documents(made)
    assert len(found) > 1
    assert all(length(each) <= LONGEST for each in found)
    assert [each for document in found for each in document["Statement"]] == made


def test_what_is_allowed_everywhere_is_not_allowed_once_more() -> None:
    found = [
        (each["Action"], each["Resource"])
        for each in statements(needed(config(), "status", "images prune"), scope())
        if "ecs:DescribeServices" in each["Action"]
    ]
    assert found == [(["ecs:DescribeServices"], f"{A}:service/*")]


def test_the_options_of_a_run_are_in_its_policy() -> None:
    cases = {each.when for each in permissions_of("push")}
    assert Case.CREATE_REPOSITORY in cases
    assert "ecr:CreateRepository" in actions(statements(needed(config(), "push"), scope()))
