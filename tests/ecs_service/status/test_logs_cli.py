"""`schoolctl logs`, whole output, on written answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.account import NAME, Account
from tests.worlds.answers import DEFINITION, log_event, service_answer
from tests.worlds.scenes import COMPLETED, at, deployment, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import Answer, ScriptedAws

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
        {
            "at": "2026-11-02T08:59:40.000Z",
            "task": "4f0c12ab00000000",
            "container": "web",
            "message": "one",
        }
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


def test_no_line_is_said_to_be_none_and_where_that_is(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": []})
    result = project.invoke("logs", "--task", "4f")
    assert result.stdout == ""
    begin = at(-600).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    assert result.stderr == (
        f"no lines in /ecs/web (ecs/web/4f*) since {begin}; look further back with --since, or at"
        " the tasks with `schoolctl tasks --all`\n"
    )


def test_lines_are_looked_for_by_their_text_in_any_case(
    project: Project, logs: ScriptedAws
) -> None:
    events = [event("An ERROR here", -30), event("fine", -20), event("error there", -10)]
    logs.answer("FilterLogEvents", {"events": events})
    result = project.invoke("logs", "--grep", "Error")
    assert result.stdout.splitlines() == [
        line("An ERROR here", -30),
        line("error there", -10),
    ]
    assert project.invoke("logs", "--grep", "[x").stderr.startswith("no line with that text in ")


def test_a_number_of_lines_counts_those_with_the_text(project: Project, logs: ScriptedAws) -> None:
    events = [event(f"{word} {n}", n - 50) for n, word in enumerate(["yes", "no"] * 3)]
    logs.answer("FilterLogEvents", {"events": events})
    lines = project.invoke("logs", "--grep", "yes", "-n", "2").stdout.splitlines()
    assert [each[-5:] for each in lines] == ["yes 2", "yes 4"]


def test_a_line_of_another_day_has_its_date(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": [event("old", -3 * 86400)]})
    shown = project.invoke("logs", "--since", "7d").stdout
    assert shown == f"4f0c12ab {at(-3 * 86400).astimezone():%Y-%m-%d %H:%M:%S} old\n"


SIDECAR = {
    **DEFINITION,
    "containerDefinitions": [
        *DEFINITION["containerDefinitions"],  # type: ignore[misc]  # a list of dictionaries
        {
            "name": "proxy",
            "image": "proxy:1",
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/ecs/proxy", "awslogs-stream-prefix": "ecs"},
            },
        },
        {"name": "agent", "image": "agent:1"},
    ],
}


@pytest.fixture
def sidecar(scripted: ScriptedAws) -> ScriptedAws:
    def filtered(request: dict[str, Any]) -> Answer:
        if request["logGroupName"] == "/ecs/proxy":
            stream = "ecs/proxy/4f0c12ab00000000"
            return {"events": [log_event("p", -15, eventId="p", logStreamName=stream)]}
        return {"events": [event("one", -20), event("two", -10)]}

    scripted.answer("DescribeServices", *service_answer(RUNS))
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": SIDECAR, "tags": []})
    scripted.answer("FilterLogEvents", filtered)
    return scripted


def test_all_containers_are_shown_by_name_in_the_order_of_time(
    project: Project, sidecar: ScriptedAws
) -> None:
    del sidecar
    shown = project.invoke("logs", "--all-containers").stdout.splitlines()
    assert shown == [
        line("one", -20, "4f0c12ab/web"),
        line("p", -15, "4f0c12ab/proxy"),
        line("two", -10, "4f0c12ab/web"),
    ]


def test_one_container_is_asked_for_by_name(project: Project, sidecar: ScriptedAws) -> None:
    del sidecar
    assert project.invoke("logs", "--container", "proxy").stdout == line("p", -15) + "\n"


@pytest.mark.parametrize("name", ["agent", "none"])
def test_a_container_without_a_log_is_an_error_that_lists_the_containers(
    project: Project, sidecar: ScriptedAws, name: str
) -> None:
    del sidecar
    result = project.invoke("logs", "--container", name)
    assert result.exit_code == ExitCode.FAILED
    assert f"no log in CloudWatch is known of container {name}" in result.stderr
    assert "web, proxy, agent" in result.stderr


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


def test_an_outage_is_told_once_and_so_is_its_end(project: Project, logs: ScriptedAws) -> None:
    away = Refusal("InternalFailure", status=501)
    logs.answer("FilterLogEvents", {"events": [event("one", -20)]}, away, away, {"events": []})
    outage, end = project.invoke("logs", "-f", clock=Patient()).stderr.splitlines()
    assert outage.startswith("could not read log group /ecs/web, trying again: ")
    assert end == "CloudWatch Logs answers again"


def test_following_a_group_that_never_was_is_an_error(project: Project, logs: ScriptedAws) -> None:
    missing = "The specified log group does not exist."
    logs.answer("FilterLogEvents", Refusal("ResourceNotFoundException", missing))
    assert project.invoke("logs", "-f", clock=Patient()).exit_code == ExitCode.FAILED


class Day(FakeClock):
    """A day on which something happens at each pause, until Ctrl-C."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        super().__init__(datetime.now(UTC))
        self._happenings = list(happenings)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if not self._happenings:
            raise KeyboardInterrupt
        self._happenings.pop(0)()


def test_no_line_is_lost_or_repeated_when_the_network_and_aws_fail(
    project: Project, aws: Aws, faults: Faults
) -> None:
    """Through a proxy that throttles, drops replies and answers 500, with real retries."""
    account = Account(aws)
    account.register("1.0")
    account.ecs.create_service(
        cluster="schoolapp", serviceName=NAME, taskDefinition=NAME, desiredCount=0
    )
    cloudwatch = aws.client("logs")
    cloudwatch.create_log_group(logGroupName="/ecs/schoolapp-backend")
    written: list[str] = []

    def write(task: str) -> None:
        streams = cloudwatch.describe_log_streams(logGroupName="/ecs/schoolapp-backend")
        stream = f"web/web/{task}"
        if stream not in [each["logStreamName"] for each in streams["logStreams"]]:
            cloudwatch.create_log_stream(
                logGroupName="/ecs/schoolapp-backend", logStreamName=stream
            )
        now = int(datetime.now(UTC).timestamp() * 1000)
        texts = [f"{task} {len(written) + number}" for number in range(5)]
        written.extend(texts)
        cloudwatch.put_log_events(
            logGroupName="/ecs/schoolapp-backend",
            logStreamName=stream,
            logEvents=[{"timestamp": now, "message": text} for text in texts],
        )

    def fail() -> None:
        write("old0")
        faults.answer("FilterLogEvents", "ThrottlingException", "Rate exceeded")
        faults.lose_reply("FilterLogEvents")
        faults.answer("FilterLogEvents", "InternalFailure", "a fault", status=500)

    def start_of_a_rollout() -> None:
        write("old0")
        write("new1")
        for _ in range(3):
            faults.lose_reply("FilterLogEvents")

    write("old0")
    clock = Day(fail, lambda: write("old0"), start_of_a_rollout, lambda: write("new1"), list)
    result = project.invoke("logs", "-f", "--json", clock=clock)
    shown = [json.loads(each) for each in result.stdout.splitlines()]
    assert sorted(each["message"] for each in shown) == sorted(written)
    assert {each["task"] for each in shown} == {"old0", "new1"}
    assert result.stderr.count("trying again") == 2


def test_followed_lines_are_json_lines(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", *FOLLOWED)
    result = project.invoke("logs", "-f", "--json", clock=Patient())
    told = [json.loads(each) for each in result.stdout.splitlines()]
    assert [each["message"] for each in told] == ["one", "two", "three"]
    assert result.exit_code == ExitCode.INTERRUPTED


def test_the_log_of_another_account_is_not_shown(project: Project, logs: ScriptedAws) -> None:
    logs.answer("FilterLogEvents", {"events": [event("one", -20)]})
    result = project.invoke("logs", "-e", "other")
    assert result.exit_code == ExitCode.WRONG_TARGET
    assert result.stdout == ""
