"""`schoolctl taskdef` in process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.account import NAME, Account

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults


@pytest.fixture
def account(aws: Aws) -> Account:
    return Account(aws)


def test_render_prints_the_request_and_registers_nothing(
    project: Project, account: Account
) -> None:
    digest = account.push("1.0")
    done = project.invoke("taskdef", "render")
    assert done.exit_code == 0, done.stderr
    rendered = json.loads(done.stdout)
    [container] = rendered["containerDefinitions"]
    assert container["image"].endswith(f"{NAME}@{digest}")
    assert rendered["executionRoleArn"].endswith(":role/schoolapp-execution")
    variables = {each["name"]: each["value"] for each in container["environment"]}
    assert variables["DB_SECRET_ARN"] == account.secret_arn
    assert account.revisions() == []


def test_render_gives_one_document_with_json(project: Project, account: Account) -> None:
    account.push("1.0")
    document = json.loads(project.invoke("taskdef", "render", "--json").stdout)
    assert document["ok"] is True
    assert document["task_definition"]["family"] == NAME


def test_render_names_everything_that_is_missing(project: Project, aws: Aws) -> None:
    del aws
    done = project.invoke("taskdef", "render", "--tag", "1.0")
    assert done.exit_code == ExitCode.FAILED
    assert "5 things missing" in done.stderr


def test_what_was_rendered_is_what_aws_gets(project: Project, account: Account) -> None:
    account.push("1.0")
    rendered = json.loads(project.invoke("taskdef", "render").stdout)
    project.invoke("taskdef", "register")
    told = account.definition(f"{NAME}:1")
    assert {name: told[name] for name in rendered if name != "containerDefinitions"} == {
        name: value for name, value in rendered.items() if name != "containerDefinitions"
    }
    [wanted], [got] = rendered["containerDefinitions"], told["containerDefinitions"]
    assert {name: got[name] for name in wanted if name != "portMappings"} == {
        name: value for name, value in wanted.items() if name != "portMappings"
    }


def test_register_makes_a_revision_once(project: Project, account: Account) -> None:
    account.push("1.0")
    first = project.invoke("taskdef", "register")
    assert first.stdout == f"{NAME}:1\n"
    again = project.invoke("taskdef", "register")
    assert again.exit_code == 0
    assert again.stdout == f"{NAME}:1\n"
    assert "nothing to do: schoolapp-backend:1 is just this" in again.stderr
    assert account.revisions() == [f"{NAME}:1"]


def test_register_tells_what_changed(project: Project, account: Account) -> None:
    account.push("1.0")
    project.invoke("taskdef", "register")
    account.push("1.1")
    done = project.invoke("taskdef", "register", "--dry-run", "--tag", "1.1")
    assert "register a new revision of schoolapp-backend (image 1.0 -> 1.1)" in done.stderr
    assert account.revisions() == [f"{NAME}:1"]


def test_register_asks_for_the_name_in_a_protected_environment(
    project: Project, account: Account, faults: Faults
) -> None:
    account.aws.client("secretsmanager").create_secret(
        Name="schoolapp/prod/db_password", SecretString="x"
    )
    account.push("1.0")
    done = project.invoke("taskdef", "register", "-e", "prod")
    assert done.exit_code == ExitCode.FAILED
    assert "--confirm schoolapp-backend" in done.stderr
    assert "RegisterTaskDefinition" not in faults.calls


def test_list_shows_the_newest_first_with_image_and_completion(
    project: Project, account: Account
) -> None:
    for tag in ("1.0", "1.1"):
        account.push(tag)
        project.invoke("taskdef", "register", "--tag", tag)
    account.ecs.tag_resource(
        resourceArn=account.definition(f"{NAME}:1")["taskDefinitionArn"],
        tags=[{"key": "schoolctl:completed-at", "value": "2026-11-02T08:00:00Z"}],
    )
    document = json.loads(project.invoke("taskdef", "list", "--json").stdout)
    told = [(e["revision"], e["tag"], e["completed_at"]) for e in document["revisions"]]
    assert told == [
        (f"{NAME}:2", "1.1", None),
        (f"{NAME}:1", "1.0", "2026-11-02T08:00:00Z"),
    ]
    shown = project.invoke("taskdef", "list").stdout.splitlines()
    assert shown[0].split() == [
        "REVISION", "STATUS", "REGISTERED", "IMAGE", "COMMIT", "COMPLETED",
    ]  # fmt: skip
    assert "1.1 (" in shown[1]
    assert shown[1].startswith("schoolapp-backend:2")


def test_list_takes_a_limit_and_shows_the_deregistered(project: Project, account: Account) -> None:
    for tag in ("1.0", "1.1"):
        account.push(tag)
        project.invoke("taskdef", "register", "--tag", tag)
    account.ecs.deregister_task_definition(taskDefinition=f"{NAME}:1")
    account.push("1.2")
    project.invoke("taskdef", "register", "--tag", "1.2")
    limited = json.loads(project.invoke("taskdef", "list", "--limit", "1", "--json").stdout)
    assert [each["revision"] for each in limited["revisions"]] == [f"{NAME}:3"]
    inactive = json.loads(project.invoke("taskdef", "list", "--inactive", "--json").stdout)
    assert [(each["revision"], each["status"]) for each in inactive["revisions"]] == [
        (f"{NAME}:1", "INACTIVE")
    ]


def test_list_of_a_family_that_is_not_there_is_empty(project: Project, aws: Aws) -> None:
    del aws
    done = project.invoke("taskdef", "list")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "schoolapp-backend has no such revisions" in done.stderr
