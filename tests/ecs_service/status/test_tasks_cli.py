"""`schoolctl tasks` and `schoolctl events`, whole output, on written answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.model.services import ServiceEvent
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import service_answer, task_json
from tests.worlds.scenes import COMPLETED, at, container, deployment, service, stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.services import ServiceState
    from tests.conftest import Project
    from tests.scripted_aws import Answer, ScriptedAws

STEADY = service(deployment(state=COMPLETED, running=2))
ENDED = stopped(id_="ee" * 16, created=-1800)


def running_json(id_: str, created: float, **more: Any) -> dict[str, Any]:
    task = task_json(
        stopped("", "", container(None, status="RUNNING"), id_=id_, created=created)
    ) | {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "healthStatus": "HEALTHY", **more}
    del task["stoppedAt"]
    return task


ALIVE = (
    running_json("bb" * 16, -100),
    running_json(
        "aa" * 16,
        -301,
        availabilityZone="us-east-1a",
        attachments=[{"details": [{"name": "privateIPv4Address", "value": "10.0.0.7"}]}],
    ),
)


def script(
    scripted: ScriptedAws, state: ServiceState | None = STEADY, alive: Sequence[Any] = ALIVE
) -> None:
    tasks = {each["taskArn"]: each for each in (*alive, task_json(ENDED))}

    def listed(request: dict[str, Any]) -> Answer:
        over = request["desiredStatus"] == "STOPPED"
        return {"taskArns": [arn for arn in tasks if (arn == ENDED.arn) is over]}

    scripted.answer("DescribeServices", *service_answer(state))
    scripted.answer("ListTasks", listed)
    scripted.answer(
        "DescribeTasks", lambda request: {"tasks": [tasks[each] for each in request["tasks"]]}
    )


def test_running_tasks_in_the_order_of_their_beginning(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted)
    result = project.invoke("tasks")
    assert result.exit_code == ExitCode.DONE
    assert result.stdout.splitlines() == [
        "TASK      REVISION  STATUS   HEALTH   ZONE        ADDRESS   STARTED",
        "aaaaaaaa  web:7     running  healthy  us-east-1a  10.0.0.7  5 m ago",
        "bbbbbbbb  web:7     running  healthy  -           -         1 m 39 s ago",
    ]


def test_stopped_tasks_tell_why(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    lines = project.invoke("tasks", "--stopped").stdout.splitlines()
    assert lines[0].endswith("STARTED        STOPPED        WHY")
    assert lines[1:] == [
        (
            "eeeeeeee  web:7     stopped  29 m 59 s ago  29 m 58 s ago"
            "  the process ended with exit code 1"
        )
    ]


def test_all_tasks_are_those_that_stopped_and_those_that_run(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted)
    told = json.loads(project.invoke("tasks", "--all", "--json").stdout)
    assert [each["id"][:2] for each in told["tasks"]] == ["ee", "aa", "bb"]
    assert told["tasks"][0]["stop_code"] == "EssentialContainerExited"
    assert told["tasks"][0]["containers"][0]["exit_code"] == 1
    assert told["tasks"][0]["fix"]
    assert told["tasks"][1]["address"] == "10.0.0.7"
    assert told["tasks"][1]["cause"] is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (STEADY, "no task of web runs, and 2 should; `schoolctl tasks --stopped` tells"),
        (
            service(deployment(state=COMPLETED, desired=0), desired=0),
            "the desired count is 0, so nothing runs; `schoolctl scale N` raises it",
        ),
    ],
)
def test_no_task_is_said_to_be_none_and_why(
    project: Project, scripted: ScriptedAws, state: ServiceState, said: str
) -> None:
    script(scripted, state, alive=())
    result = project.invoke("tasks")
    assert result.exit_code == ExitCode.DONE
    assert result.stdout == ""
    assert said in result.stderr


def test_a_service_that_is_not_there_is_named(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, None)
    for command in ("tasks", "events"):
        result = project.invoke(command)
        assert result.exit_code == ExitCode.FAILED
        assert "there is no service schoolapp-backend" in result.stderr


def test_another_accounts_tasks_are_not_shown(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    for command in ("tasks", "events"):
        result = project.invoke(command, "-e", "other")
        assert result.exit_code == ExitCode.WRONG_TARGET
        assert result.stdout == ""


# Events

NO_PLACE = "(service web) was unable to place a task."
GOOD = "(service web) has reached a steady state."


def with_events(*texts: str) -> ServiceState:
    """Give a service whose events are a minute apart, the last one just now."""
    last = len(texts) - 1
    events = [
        ServiceEvent(f"event-{number}", at(60 * (number - last)), text)
        for number, text in enumerate(texts)
    ]
    return replace(STEADY, events=tuple(events))


def stamp(seconds: float) -> str:
    return at(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def test_events_end_with_the_newest_and_trouble_has_a_mark_and_a_meaning(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, with_events(NO_PLACE, GOOD))
    result = project.invoke("events")
    assert result.exit_code == ExitCode.DONE
    first, meaning, last = result.stdout.splitlines()
    assert first == f"{stamp(-60)}  ! {NO_PLACE}"
    assert meaning.startswith(" " * first.index("(") + "ECS finds no place for a task: read")
    assert last == f"{stamp(0)}    {GOOD}"


def test_an_event_is_never_cut(project: Project, scripted: ScriptedAws) -> None:
    text = "(service web) has started 9 tasks: " + " ".join(
        f"(task {'f' * 32})" for _ in "123456789"
    )
    script(scripted, with_events(text))
    assert text in project.invoke("events").stdout


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), 20),
        (("--limit", "3"), 3),
        (("--since", "150s"), 3),
        (("--since", "1h"), 30),
        (("--since", "1h", "-n", "2"), 2),
    ],
)
def test_the_newest_events_are_chosen(
    project: Project, scripted: ScriptedAws, options: tuple[str, ...], shown: int
) -> None:
    script(scripted, with_events(*(f"event {number}" for number in range(30))))
    lines = project.invoke("events", *options).stdout.splitlines()
    assert len(lines) == shown
    assert lines[-1].endswith("event 29")


def test_events_as_a_document(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, with_events(NO_PLACE, GOOD))
    told = json.loads(project.invoke("events", "--json").stdout)
    assert [each["trouble"] for each in told["events"]] == [True, False]
    assert told["events"][0]["cause"] == "ECS finds no place for a task"


def test_no_event_is_said_to_be_none(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, with_events())
    assert project.invoke("events").stderr == "ECS tells of no event of web\n"


class Patient(FakeClock):
    """A user who watches for four pauses, then presses Ctrl-C."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.slept) > 4:
            raise KeyboardInterrupt


def follow(project: Project, scripted: ScriptedAws, *options: str) -> tuple[int, list[str]]:
    answers = service_answer(
        with_events("one"), with_events("one", "two"), with_events("one", "two", "three")
    )
    scripted.answer("DescribeServices", answers[0], answers[1], answers[1])
    scripted.answer("DescribeServices", Refusal("InternalFailure", status=501), answers[2])
    result = project.invoke("events", "-f", *options, clock=Patient())
    return result.exit_code, result.stdout.splitlines()


def test_followed_events_come_once_and_a_fault_of_aws_ends_nothing(
    project: Project, scripted: ScriptedAws
) -> None:
    code, lines = follow(project, scripted)
    assert code == ExitCode.INTERRUPTED
    assert [line.rpartition(" ")[2] for line in lines] == ["one", "two", "three"]


def test_followed_events_are_json_lines(project: Project, scripted: ScriptedAws) -> None:
    code, lines = follow(project, scripted, "--json")
    told = [json.loads(line) for line in lines]
    assert [each["message"] for each in told] == ["one", "two", "three"]
    assert code == ExitCode.INTERRUPTED
