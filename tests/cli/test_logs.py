"""`schoolctl logs`, whole output, on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.errors import ExitCode
from tests.aws.answers import DEFINITION, log_event, service_answer
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.unit.scenes import COMPLETED, at, deployment, service

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

RUNS = service(deployment(state=COMPLETED, running=2))


def event(text: str, seconds: float, task: str = "4f0c12ab00000000") -> dict[str, Any]:
    return log_event(text, seconds, eventId=text, logStreamName=f"ecs/web/{task}")


def line(text: str, seconds: float, task: str = "4f0c12ab") -> str:
    return f"{task} {at(seconds).astimezone():%H:%M:%S} {text}"


@pytest.fixture
def logs(scripted: ScriptedAws) -> ScriptedAws:
    scripted.answer("DescribeServices", *service_answer(RUNS))
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    return scripted


def test_lines_of_the_last_ten_minutes_with_task_and_time(
    project: Project, logs: ScriptedAws
) -> None:
    events = [event("one", -20), event("two", -10, "77aa0000ffff")]
    logs.answer("FilterLogEvents", {"events": events})
    result = project.invoke("logs")
    assert result.exit_code == ExitCode.DONE
    assert result.stderr == ""
    assert result.stdout.splitlines() == [line("one", -20), line("two", -10, "77aa0000")]
    [request] = logs.requests("FilterLogEvents")
    assert request["logGroupName"] == "/ecs/web"
    assert request["logStreamNamePrefix"] == "ecs/web/"
    assert request["startTime"] == int(at(-600).timestamp() * 1000)


def test_without_follow_the_document_is_one(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": [event("one", -20)]})
    told = json.loads(project.invoke("logs", "--json").stdout)
    assert told["log_group"] == "/ecs/web"
    assert told["lines"] == [
        {"at": "2026-11-02T08:59:40.000Z", "task": "4f0c12ab00000000", "message": "one"}
    ]


def test_one_task_is_asked_for_by_the_first_digits_of_its_id(
    project: Project, logs: ScriptedAws
) -> None:
    logs.answer("FilterLogEvents", {"events": []})
    project.invoke("logs", "--task", "4f0c", "--since", "1h")
    [request] = logs.requests("FilterLogEvents")
    assert request["logStreamNamePrefix"] == "ecs/web/4f0c"
    assert request["startTime"] == int(at(-3600).timestamp() * 1000)


def test_a_number_of_lines_is_looked_for_further_and_further_back(
    project: Project, logs: ScriptedAws
) -> None:
    logs.answer(
        "FilterLogEvents",
        {"events": [event("c", -10)]},
        {"events": [event("a", -3000), event("b", -2000), event("c", -10)]},
    )
    result = project.invoke("logs", "-n", "2")
    assert result.stdout.splitlines() == [line("b", -2000), line("c", -10)]
    assert len(logs.requests("FilterLogEvents")) == 2


def test_no_line_is_said_to_be_none(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": []})
    result = project.invoke("logs")
    assert result.stdout == ""
    assert result.stderr.startswith("no lines in /ecs/web since 2026-11-02 ")
    assert "--since" in result.stderr


def test_a_missing_group_is_an_error(project: Project, logs: ScriptedAws) -> None:
    missing = "The specified log group does not exist."
    logs.answer("FilterLogEvents", Refusal("ResourceNotFoundException", missing))
    result = project.invoke("logs")
    assert result.exit_code == ExitCode.FAILED
    assert "error: there is no log group /ecs/web" in result.stderr


def test_without_a_service_the_log_group_of_the_configuration_is_read(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeServices", *service_answer(None))
    scripted.answer("FilterLogEvents", {"events": []})
    project.invoke("logs")
    [request] = scripted.requests("FilterLogEvents")
    assert request["logGroupName"] == "/ecs/schoolapp-backend"
    assert request["logStreamNamePrefix"] == "web/web/"


@pytest.mark.parametrize(
    "options", [("--since", "tomorrow"), ("--task", "no id!"), ("-n", "0")], ids=str
)
def test_what_cannot_be_meant_is_a_usage_error(
    project: Project, logs: ScriptedAws, options: tuple[str, str]
) -> None:
    assert project.invoke("logs", *options).exit_code == ExitCode.USAGE
    assert logs.calls == []


class Patient(FakeClock):
    """A user who watches for three pauses, then presses Ctrl-C."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.slept) > 3:
            raise KeyboardInterrupt


FOLLOWED = (
    {"events": [event("one", -20)]},
    {"events": [event("one", -20), event("two", 1)]},
    Refusal("InternalFailure", status=501),
    {"events": [event("two", 1), event("three", 3)]},
)


def test_follow_goes_on_until_ctrl_c_and_survives_aws_being_away(
    project: Project, logs: ScriptedAws
) -> None:
    logs.answer("FilterLogEvents", *FOLLOWED)
    clock = Patient()
    result = project.invoke("logs", "-f", clock=clock)
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stdout.splitlines() == [line("one", -20), line("two", 1), line("three", 3)]
    assert max(clock.slept) <= 2


def test_followed_lines_are_json_lines(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", *FOLLOWED)
    result = project.invoke("logs", "-f", "--json", clock=Patient())
    told = [json.loads(each) for each in result.stdout.splitlines()]
    assert [each["message"] for each in told[:3]] == ["one", "two", "three"]
    assert told[3]["error"]["exit_code"] == ExitCode.INTERRUPTED


def test_the_log_of_another_account_is_not_shown(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": [event("one", -20)]})
    result = project.invoke("logs", "-e", "other")
    assert result.exit_code == ExitCode.WRONG_TARGET
    assert result.stdout == ""
