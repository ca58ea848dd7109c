"""`schoolctl run` in process: what it runs, and the exit code of the process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.answers import DEFINITION, NETWORK, log_event, service_answer, task_json
from tests.worlds.scenes import COMPLETED, container, deployment, old, service, stopped

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws


def one_page(request: dict[str, Any]) -> dict[str, Any]:
    events = [] if "nextToken" in request else [log_event("hello")]
    return {"events": events, "nextForwardToken": "f"}


def script(scripted: ScriptedAws, exit_code: int = 0) -> None:
    task = stopped(*("EssentialContainerExited", "Essential container"), container(exit_code))
    scripted.answer(
        "DescribeServices", *service_answer(service(deployment(state=COMPLETED, running=2)))
    )
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    scripted.answer("RunTask", {"tasks": [task_json(task)], "failures": []})
    scripted.answer("DescribeTasks", {"tasks": [task_json(task)]})
    scripted.answer("GetLogEvents", one_page)


@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_the_exit_code_is_the_containers(
    project: Project, scripted: ScriptedAws, code: int
) -> None:
    script(scripted, code)
    result = project.invoke("run", "--", "true")
    assert result.exit_code == code
    assert result.stdout == "hello\n"


def test_options_of_the_command_need_no_dashes_before_it(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted)
    project.invoke("run", "--json", "python", "-m", "service.migrate", "--json", "--help")
    [request] = scripted.requests("RunTask")
    [override] = request["overrides"]["containerOverrides"]
    assert override["command"] == ["python", "-m", "service.migrate", "--json", "--help"]


def test_it_runs_in_the_services_network(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    project.invoke("run", "true")
    assert scripted.requests("RunTask")[0]["networkConfiguration"] == NETWORK


def test_while_a_rollout_is_under_way_the_proven_revision_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeServices", *service_answer(service(deployment(), old())))
    script(scripted)
    project.invoke("run", "true")
    assert scripted.requests("RunTask")[0]["taskDefinition"].endswith("web:6")


def test_a_revision_can_be_chosen(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    project.invoke("run", "--revision", "3", "true")
    assert scripted.requests("RunTask")[0]["taskDefinition"] == "schoolapp-backend:3"


def test_the_document_is_one_with_exit_code_and_lines(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, 7)
    told = json.loads(project.invoke("run", "--json", "true").stdout)
    assert told["ok"] is False
    assert told["exit_code"] == 7
    assert [each["message"] for each in told["lines"]] == ["hello"]


@pytest.mark.parametrize("code", [7, 125])
def test_a_failure_stands_in_the_document_with_its_exit_code(
    project: Project, scripted: ScriptedAws, code: int
) -> None:
    script(scripted, code)
    done = project.invoke("run", "--json", "true")
    told = json.loads(done.stdout)
    assert told["error"]["what"] == f"the command ended with exit code {code}"
    assert told["error"]["exit_code"] == told["exit_code"] == done.exit_code == code
    assert "error:" not in done.stderr


def test_what_never_ran_stands_in_the_document_with_125(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted)
    scripted.answer("RunTask", {"tasks": [], "failures": []})
    scripted.next_answer("RunTask", {})
    told = json.loads(project.invoke("run", "--json", "true").stdout)
    assert told["exit_code"] == told["error"]["exit_code"] == ExitCode.NEVER_RAN


def test_without_a_command_it_says_what_runs_and_for_how_long(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted)
    done = project.invoke("run", "--timeout", "60")
    assert "no COMMAND was given, so the image's own runs" in done.stderr
    assert "until Ctrl-C, or for 1 m" in done.stderr


def test_dry_run_runs_nothing(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    result = project.invoke("run", "--dry-run", "echo", "x")
    assert result.exit_code == ExitCode.DONE
    assert "1. run the command `echo x` on web:7" in result.stderr
    assert scripted.requests("RunTask") == []


def test_without_a_service_it_never_ran(project: Project, scripted: ScriptedAws) -> None:
    scripted.answer("DescribeServices", *service_answer(None))
    result = project.invoke("run", "true")
    assert result.exit_code == ExitCode.NEVER_RAN
    assert "there is no service schoolapp/schoolapp-backend" in result.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_a_limit_that_is_none_is_a_usage_error(
    project: Project, scripted: ScriptedAws, seconds: str
) -> None:
    assert project.invoke("run", "--timeout", seconds, "true").exit_code == ExitCode.USAGE
    assert scripted.calls == []


def test_tag_and_revision_together_are_a_usage_error(project: Project) -> None:
    result = project.invoke("run", "--tag", "1.0", "--revision", "3", "true")
    assert result.exit_code == ExitCode.USAGE


def test_a_protected_environment_wants_its_name(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    result = project.invoke("run", "-e", "prod", "true")
    assert result.exit_code == ExitCode.FAILED
    assert "add --confirm schoolapp-backend" in result.stderr
    assert scripted.requests("RunTask") == []
