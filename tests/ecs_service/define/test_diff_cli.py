"""`schoolctl diff` in process: empty exactly when deploy has nothing to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.account import NAME, Account, edit, simplify

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults


READS = ("BatchGet", "Describe", "Get", "List")


@pytest.fixture
def account(aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account where 1.0 runs, as `deploy` brought it there."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "1")
    made = Account(aws)
    simplify(project.directory)
    aws.client("logs").create_log_group(logGroupName="/ecs/schoolapp-backend")
    made.push("1.0")
    done = project.invoke("deploy", "--tag", "1.0")
    assert done.exit_code == 0, done.stderr
    return made


def diff(project: Project, *args: str) -> dict[str, Any]:
    done = project.invoke("diff", "--json", *args)
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_an_unchanged_service_has_no_differences(project: Project, account: Account) -> None:
    del account
    done = project.invoke("diff", "--exit-code")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "no differences"
    assert diff(project)["differs"] is False


def test_another_image_is_named_with_tag_and_digest(project: Project, account: Account) -> None:
    old = account.definition(f"{NAME}:1")["containerDefinitions"][0]["image"].partition("@")[2]
    new = account.push("1.1")
    done = project.invoke("diff", "--exit-code")
    assert done.exit_code == ExitCode.DIFFERENCES
    assert done.stdout.splitlines() == [
        f"{NAME}:1 -> a new revision",
        "image:",
        f"  1.0, {old[:19]} -> 1.1, {new[:19]}",
    ]
    assert diff(project)["image"]["to"]["digest"] == new


def test_nothing_is_changed_by_looking(project: Project, account: Account, faults: Faults) -> None:
    account.push("1.1")
    before = len(faults.calls)
    project.invoke("diff")
    writes = [name for name in faults.calls[before:] if not name.startswith(READS)]
    assert writes == []


def test_each_change_is_told_with_its_values(project: Project, account: Account) -> None:
    del account
    edit(project.directory, "cpu: 256", "cpu: 512")
    edit(project.directory, "memory: 512", "memory: 1024\n  environment: {LEVEL: debug}")
    lines = project.invoke("diff").stdout.splitlines()
    assert lines == [
        f"{NAME}:1 -> a new revision",
        "task definition:",
        "  environment LEVEL: none -> debug",
        "  cpu: 256 -> 512",
        "  memory: 512 -> 1024",
    ]


def test_what_looks_secret_is_shown_only_when_it_is_asked_for(
    project: Project, account: Account
) -> None:
    del account
    edit(project.directory, "memory: 512", "memory: 512\n  environment: {API_TOKEN: canary-x}")
    for words in (["diff"], ["diff", "--json"], ["deploy", "--dry-run"], ["taskdef", "diff"]):
        done = project.invoke(*words)
        assert "API_TOKEN" in done.output
        assert "canary" not in done.output
    assert "environment API_TOKEN: none -> *** (added)" in project.invoke("diff").stdout
    assert "none -> canary-x" in project.invoke("diff", "--reveal").stdout


def test_render_masks_what_looks_secret(project: Project, account: Account) -> None:
    del account
    edit(project.directory, "memory: 512", "memory: 512\n  environment: {API_TOKEN: canary-x}")
    assert "canary" not in project.invoke("taskdef", "render").output
    assert "canary" not in project.invoke("taskdef", "render", "--json").output
    assert "canary-x" in project.invoke("taskdef", "render", "--reveal").stdout


def test_a_missing_parameter_is_told_with_the_rest(project: Project, account: Account) -> None:
    account.push("1.1")
    account.aws.client("ssm").delete_parameter(Name="/schoolapp/dev/db_name")
    done = project.invoke("diff")
    assert done.exit_code == 0
    assert "image:" in done.stdout
    assert "parameter /schoolapp/dev/db_name: `schoolctl params set db_name`" in done.stdout


def test_the_log_group_and_the_release_command_are_told(project: Project, account: Account) -> None:
    account.aws.client("logs").delete_log_group(logGroupName="/ecs/schoolapp-backend")
    edit(
        project.directory,
        "  cluster: schoolapp",
        "  release_command: [migrate]\n  cluster: schoolapp",
    )
    account.push("1.1")
    lines = project.invoke("diff").stdout.splitlines()
    assert "  create log group /ecs/schoolapp-backend" in lines
    assert "  run the release command `migrate` on the new revision of schoolapp-backend" in lines


def test_before_there_is_a_service_everything_is_new(project: Project, aws: Aws) -> None:
    Account(aws).push("1.0")
    simplify(project.directory)
    done = project.invoke("diff", "--exit-code")
    assert done.exit_code == ExitCode.DIFFERENCES
    assert f"  create service schoolapp/{NAME} with 1 task" in done.stdout


def test_a_dry_run_of_deploy_shows_the_same_diff(project: Project, account: Account) -> None:
    account.push("1.1")
    shown = project.invoke("deploy", "--dry-run")
    assert shown.stdout == project.invoke("diff").stdout
    document = json.loads(project.invoke("deploy", "--dry-run", "--json").stdout)
    told = diff(project)
    assert document["diff"] == {key: told[key] for key in document["diff"]}


def test_two_revisions_are_compared(project: Project, account: Account) -> None:
    edit(project.directory, "memory: 512", "memory: 1024")
    project.invoke("taskdef", "register")
    done = project.invoke("taskdef", "diff", "--from", "1", "--to", "2", "--exit-code")
    assert done.exit_code == ExitCode.DIFFERENCES
    assert done.stdout.splitlines() == [
        f"{NAME}:1 -> {NAME}:2",
        "task definition:",
        "  memory: 512 -> 1024",
    ]
    missing = project.invoke("taskdef", "diff", "--from", "7")
    assert missing.exit_code == ExitCode.FAILED
    assert f"there is no revision {NAME}:7" in missing.stderr
    assert account.runs() == f"{NAME}:1"


def test_what_runs_is_compared_with_what_deploy_would_register(
    project: Project, account: Account
) -> None:
    del account
    assert project.invoke("taskdef", "diff", "--exit-code").exit_code == 0
    edit(project.directory, "memory: 512", "memory: 1024")
    assert project.invoke("taskdef", "diff", "--exit-code").exit_code == ExitCode.DIFFERENCES
