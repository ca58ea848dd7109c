"""Every policy against the Service Authorization Reference: actions, resources and conditions.

The reference comes with policy_sentry, which is made from AWS's own pages.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from policy_sentry.querying.actions import get_action_data

from schoolctl.iam.permissions import commands
from schoolctl.iam.policy import Scope
from schoolctl.iam.rules import make_policy, parse_wanted
from tests.worlds.deploy_scenes import config

if TYPE_CHECKING:
    from collections.abc import Iterator

KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555"
EVERYTHING = (
    "service: {release_command: [migrate], overrides: {enableExecuteCommand: true}},"
    " infra: {stack: true, database: {}, ci_role: {github: school/web, branch: main}}"
)
NAMES = ("all", "execution-role", "task-role", "ci", *commands())
BY_CONDITION = {"ecs:ListServices", "ecs:ListTasks"}
"""What has a resource only for container instances, and is narrowed down by the cluster instead."""


CALLED_VIA = "aws:CalledVia"
"""A key of every request: who asks in the caller's name."""


def is_called_via(condition: dict[str, dict[str, object]]) -> bool:
    """Say whether CloudFormation alone may ask; what it makes has no name before."""
    return condition == {"ForAnyValue:StringEquals": {CALLED_VIA: "cloudformation.amazonaws.com"}}


def policy(name: str) -> list[dict[str, Any]]:
    github = "school/web" if name == "ci" else None
    wanted = parse_wanted([name], kms_keys=[KMS_KEY], github=github)
    return list(
        make_policy(wanted, Scope(config(EVERYTHING), "us-east-1", "123456789012")).statements
    )


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(name: str) -> Iterator[tuple[str, str, dict[str, dict[str, object]]]]:
    """Give every action with each of its resources and its condition."""
    for each in policy(name):
        for action in each["Action"]:
            for resource in as_list(each["Resource"]):
                yield action, resource, each.get("Condition", {})


@cache
def reference(action: str) -> tuple[dict[str, Any], ...]:
    """Give what AWS says of an action, one row for each type of resource."""
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    return tuple(found[service]) if found else ()


def formats(action: str) -> set[str]:
    return {row["resource_arn_format"] for row in reference(action)}


def matches(arn: str, written: str) -> bool:
    """Say whether an ARN, wildcards and all, is one of the form that AWS writes."""
    pieces = re.split(r"\$\{\w+\}", written)
    form = re.compile("[^ ]+".join(map(re.escape, pieces)))
    # A wildcard at the end may stand for more than one part of a name.
    longer = [f"{arn[:-1]}{rest}" for rest in ("a/b", "log-stream:a")] if arn.endswith("*") else []
    return any(form.fullmatch(each) for each in (arn, *longer))


@pytest.mark.parametrize("name", NAMES)
def test_every_action_exists(name: str) -> None:
    assert [action for action, _, _ in allowed(name) if not reference(action)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_resource_is_of_a_type_that_the_action_takes(name: str) -> None:
    wrong = [
        (action, resource)
        for action, resource, _ in allowed(name)
        if resource != "*" and not any(matches(resource, each) for each in formats(action))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_allowed_only_where_aws_knows_no_resource(name: str) -> None:
    wide = {
        action
        for action, resource, condition in allowed(name)
        if resource == "*" != "".join(formats(action)) and not is_called_via(condition)
    }
    assert wide <= BY_CONDITION


@pytest.mark.parametrize("name", NAMES)
def test_every_condition_is_one_that_the_action_knows(name: str) -> None:
    wrong = [
        (action, key)
        for action, resource, condition in allowed(name)
        for keys in condition.values()
        for key in keys
        if key != CALLED_VIA
        and not any(
            re.sub("Tag/.*", "Tag/${TagKey}", key) in row["condition_keys"]
            for row in reference(action)
            if resource == "*" or matches(resource, row["resource_arn_format"])
        )
    ]
    assert wrong == []


def test_the_probe_sees_what_is_wrong() -> None:
    assert reference("ecs:NoSuchAction") == ()
    repository = next(iter(formats("ecr:PutImage")))
    assert matches("arn:aws:ecr:us-east-1:123456789012:repository/school", repository)
    assert not matches("arn:aws:ecs:us-east-1:123456789012:cluster/school", repository)
