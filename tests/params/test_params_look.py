"""`params list` and `params history`: what is stored, who reads it, and whether it is in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.ecs_service.status.test_status_cli import STEADY, script_settings
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, service_answer, task_json
from tests.worlds.scenes import container, stopped

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws

HOST = "/schoolapp/dev/db_host"
READS = [
    {"name": variable, "value": f"/schoolapp/dev/{key}"}
    for variable, key in (
        ("PARAM_HOST_PATH", "db_host"),
        ("PARAM_DB_NAME_PATH", "db_name"),
        ("PARAM_USER_PATH", "db_user"),
    )
]


def script(scripted: ScriptedAws, variables: list[dict[str, str]], **changed: float) -> None:
    """Write a service whose task started 301 seconds ago and has these variables."""
    running = task_json(stopped("", "", container(None, status="RUNNING"), created=-302))
    running |= {"lastStatus": "RUNNING", "desiredStatus": "RUNNING"}
    del running["stoppedAt"]
    given: dict[str, Any] = {**DEFINITION}
    first, *others = given["containerDefinitions"]
    definition = {
        **given,
        "containerDefinitions": [{**first, "environment": variables}, *others],
    }
    scripted.answer("DescribeServices", *service_answer(STEADY))
    scripted.answer("ListTasks", {"taskArns": [running["taskArn"]]})
    scripted.answer("DescribeTasks", {"tasks": [running]})
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": definition, "tags": []})
    scripted.answer("DescribeParameters", {"Parameters": []})
    script_settings(scripted, **changed)


def in_use(project: Project) -> dict[str, Any]:
    told = json.loads(project.invoke("params", "list", "--json").stdout)
    return {each["key"]: each["in_use"] for each in told["parameters"]}


def test_what_changed_after_the_tasks_started_is_not_in_use_yet(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, READS, db_host=-120)

    result = project.invoke("params", "list")

    assert in_use(project) == {"db_host": "not_yet", "db_name": "yes", "db_user": "yes"}
    assert result.stdout.splitlines()[1].endswith("PARAM_HOST_PATH     not yet")
    assert result.stderr.splitlines() == [
        f"parameter {HOST} changed 2 m ago, after the tasks started",
        "`schoolctl restart` lets the tasks read it anew",
    ]


def test_what_is_older_than_every_task_is_in_use(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, READS)

    result = project.invoke("params", "list")

    assert set(in_use(project).values()) == {"yes"}
    assert result.stderr == ""


def test_what_no_running_revision_names_is_not_read(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, READS[:2], db_user=-120)

    result = project.invoke("params", "list")

    assert in_use(project)["db_user"] == "not_read"
    assert result.stderr == (
        "no running revision reads db_user: `schoolctl deploy` hands it over\n"
    )


def test_the_readers_are_named_with_their_revision(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, READS)

    told = json.loads(project.invoke("params", "list", "--json").stdout)

    assert told["parameters"][0]["read_by"] == ["PARAM_HOST_PATH of web:7"]


@pytest.mark.parametrize("operation", ["DescribeServices", "ListTasks", "DescribeTaskDefinition"])
def test_list_does_without_what_may_not_be_read_of_the_service(
    project: Project, scripted: ScriptedAws, operation: str
) -> None:
    scripted.answer(operation, Refusal("AccessDeniedException", "no"))
    script(scripted, READS)
    # The refusal comes first, and stays.
    scripted.answer(operation, Refusal("AccessDeniedException", "no"))

    result = project.invoke("params", "list")

    assert result.exit_code == 0
    assert "not known" in result.stdout
    assert "warning: whether they are in use was not read: AWS denied" in result.stderr


def test_without_a_service_no_task_runs(aws: Aws, project: Project) -> None:
    aws.client("ssm").put_parameter(Name=HOST, Value="h", Type="SecureString")

    assert in_use(project) == {"db_host": "no_task", "db_name": None, "db_user": None}


def test_an_answer_that_leaves_a_name_out_is_not_taken_for_a_missing_parameter(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("GetParameters", {"Parameters": [], "InvalidParameters": ["/other"]})

    result = project.invoke("params", "get", "db_host")

    assert result.exit_code == 1
    assert f"says neither that {HOST} is there nor that it is not" in result.stderr


# The history


def change_often(aws: Aws, times: int) -> None:
    for number in range(times):
        aws.client("ssm").put_parameter(
            Name=HOST, Value=f"canary-{number}", Type="SecureString", Overwrite=True
        )


def test_history_lists_every_version_newest_first_without_a_value(
    faults: Faults, aws: Aws, project: Project
) -> None:
    change_often(aws, 60)
    aws.client("ssm").label_parameter_version(
        Name=HOST, ParameterVersion=59, Labels=["good", "old"]
    )

    result = project.invoke("params", "history", "db_host")

    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["VERSION", "CHANGED", "BY", "LABELS", "VALUE"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(60, 0, -1)]
    assert rows[2][-3:] == ["good,", "old", "***"]
    assert "canary" not in result.output
    asked = [
        json.loads(body)
        for call, body in zip(faults.calls, faults.bodies, strict=True)
        if call == "GetParameterHistory"
    ]
    assert [each["MaxResults"] for each in asked] == [50, 50]
    assert [each["WithDecryption"] for each in asked] == [False, False]


def test_history_shows_old_values_only_when_asked(aws: Aws, project: Project) -> None:
    change_often(aws, 2)

    told = json.loads(project.invoke("params", "history", "db_host", "--reveal", "--json").stdout)

    assert [each["value"] for each in told["versions"]] == ["canary-1", "canary-0"]
    assert told["versions"][0]["changed_at"].endswith("Z")


def test_history_of_a_missing_parameter_says_how_to_set_it(aws: Aws, project: Project) -> None:
    del aws
    result = project.invoke("params", "history", "db_host")

    assert result.exit_code == 1
    assert f"parameter {HOST} does not exist" in result.stderr
    assert "`schoolctl params set db_host -e dev`" in result.stderr


@pytest.mark.parametrize("command", ["get", "history", "delete"])
def test_a_secrets_key_is_told_from_an_unknown_one(
    faults: Faults, project: Project, command: str
) -> None:
    result = project.invoke("params", command, "db_password")

    assert result.exit_code == 2
    assert "db_password is a secret, not a parameter" in result.stderr
    assert faults.calls == []
