"""Whom a trust policy lets take a role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schoolctl.model.surroundings import TASKS_TRUST, trusts_tasks

TASKS = {"Service": "ecs-tasks.amazonaws.com"}


def statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": TASKS, "Action": "sts:AssumeRole", **changes}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    "document",
    [
        TASKS_TRUST,
        policy(statement(Principal={"Service": ["ec2.amazonaws.com", TASKS["Service"]]})),
        policy(statement(Principal="*")),
        policy(statement(Action=["sts:TagSession", "sts:AssumeRole"])),
        policy(statement(Action="sts:*")),
        policy(statement(Action="STS:assumerole")),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})),
        json.dumps({"Version": "2012-10-17", "Statement": statement()}),
    ],
)
def test_these_let_tasks_take_the_role(document: str) -> None:
    assert trusts_tasks(document)


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        policy(statement(Principal={"Service": "ec2.amazonaws.com"})),
        policy(statement(Principal={"AWS": "arn:aws:iam::123456789012:root"})),
        policy(statement(Action="sts:TagSession")),
        policy(statement(), statement(Effect="Deny")),
        "",
        "[]",
        '{"Statement": "x"}',
        '{"Statement": [7]}',
    ],
)
def test_these_do_not(document: str) -> None:
    assert not trusts_tasks(document)
