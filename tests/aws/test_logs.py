"""Reading CloudWatch Logs: pages, lines that come late, groups that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.logs import ServiceLog, TaskLog, last_lines
from schoolctl.base.errors import NotFoundError, UnavailableError
from schoolctl.model.services import LogPlace
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import Bench, log_event
from tests.worlds.scenes import at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import LogLine
    from tests.conftest import Aws, Project
    from tests.scripted_aws import Answer, ScriptedAws

PLACE = LogPlace("/ecs/web", "ecs", "web")
NO_GROUP = Refusal("ResourceNotFoundException", "The specified log group does not exist.")


@pytest.fixture
def clients(project: Project, scripted: ScriptedAws) -> Clients:
    return Bench(project.directory, FakeClock(), scripted).run.clients


def event(id_: str, seconds: float, task: str = "t1") -> dict[str, Any]:
    return log_event(id_, seconds, eventId=id_, logStreamName=f"ecs/web/{task}")


def texts(lines: Iterable[LogLine]) -> list[str]:
    return [each.message for each in lines]


def test_every_page_is_read(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer(
        "FilterLogEvents",
        {"events": [event("a", 1)], "nextToken": "1"},
        {"events": [], "nextToken": "2"},
        {"events": [event("b", 2)]},
    )
    assert texts(ServiceLog(clients, [PLACE], at(0)).new_lines()) == ["a", "b"]
    assert [each.get("nextToken") for each in scripted.requests("FilterLogEvents")] == [
        None,
        "1",
        "2",
    ]


def test_lines_of_several_tasks_stand_in_the_order_of_time(
    clients: Clients, scripted: ScriptedAws
) -> None:
    events = [event("a1", 1), event("a3", 3), event("b2", 2, "t2")]
    scripted.answer("FilterLogEvents", {"events": events})
    lines = ServiceLog(clients, [PLACE], at(0)).new_lines()
    assert [(each.task_id, each.message) for each in lines] == [
        ("t1", "a1"),
        ("t2", "b2"),
        ("t1", "a3"),
    ]


def test_a_line_is_given_once_although_each_call_looks_back(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer(
        "FilterLogEvents",
        {"events": [event("a", 100)]},
        {"events": [event("a", 100), event("late", 95, "t2"), event("b", 101)]},
        {"events": [event("a", 100), event("late", 95, "t2"), event("b", 101)]},
    )
    log = ServiceLog(clients, [PLACE], at(0))
    assert texts(log.new_lines()) == ["a"]
    assert texts(log.new_lines()) == ["late", "b"]
    assert texts(log.new_lines()) == []


def test_a_later_call_begins_a_little_before_the_newest_line(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer("FilterLogEvents", {"events": [event("a", 100)]})
    log = ServiceLog(clients, [PLACE], at(0))
    list(log.new_lines())
    list(log.new_lines())
    first, second = [each["startTime"] for each in scripted.requests("FilterLogEvents")]
    assert (second - first) / 1000 == 85


def test_a_pass_that_fails_half_way_loses_and_repeats_nothing(
    clients: Clients, scripted: ScriptedAws
) -> None:
    first = {"events": [event("a", 1), event("b", 2)], "nextToken": "1"}
    whole = {"events": [event("a", 1), event("b", 2), event("c", 3)]}
    scripted.answer("FilterLogEvents", first, Refusal("InternalFailure", status=501), whole)
    log = ServiceLog(clients, [PLACE], at(0))
    shown: list[str] = []
    with pytest.raises(UnavailableError):
        shown.extend(each.message for each in log.new_lines())
    assert shown == ["a", "b"]
    assert texts(log.new_lines()) == ["c"]


def test_several_containers_are_merged_in_the_order_of_time(
    clients: Clients, scripted: ScriptedAws
) -> None:
    def answer(request: dict[str, Any]) -> Answer:
        if request["logGroupName"] == "/ecs/proxy":
            return {"events": [log_event("p2", 2, eventId="p", logStreamName="ecs/proxy/t1")]}
        return {"events": [event("a1", 1), event("a3", 3)]}

    scripted.answer("FilterLogEvents", answer)
    places = [PLACE, LogPlace("/ecs/proxy", "ecs", "proxy")]
    lines = list(ServiceLog(clients, places, at(0)).new_lines())
    assert [(each.container, each.message) for each in lines] == [
        ("web", "a1"),
        ("proxy", "p2"),
        ("web", "a3"),
    ]


def test_a_container_whose_clock_is_ahead_hides_no_line_of_others(
    clients: Clients, scripted: ScriptedAws
) -> None:
    ahead = event("ahead", 3600) | {"ingestionTime": event("x", 10)["timestamp"]}
    scripted.answer(
        "FilterLogEvents", {"events": [ahead]}, {"events": [event("b", 11, "t2"), ahead]}
    )
    log = ServiceLog(clients, [PLACE], at(0))
    assert texts(log.new_lines()) == ["ahead"]
    assert texts(log.new_lines()) == ["b"]


def test_what_is_remembered_of_a_long_log_does_not_grow(
    clients: Clients, scripted: ScriptedAws
) -> None:
    pages = [
        {
            "events": [event(f"{page}-{number}", page * 100) for number in range(10_000)],
            **({"nextToken": str(page)} if page < 9 else {}),
        }
        for page in range(10)
    ]
    scripted.answer("FilterLogEvents", *pages)
    log = ServiceLog(clients, [PLACE], at(0))
    assert sum(1 for _ in log.new_lines()) == 100_000
    assert len(log._seen) <= 40_000  # noqa: SLF001  # what the claim is about


def test_the_lines_before_a_failure_are_given_and_those_after_it_come_later(
    clients: Clients, scripted: ScriptedAws
) -> None:
    scripted.answer(
        "GetLogEvents",
        {"events": [log_event("a", 1)], "nextForwardToken": "1"},
        Refusal("InternalFailure", status=501),
        {"events": [log_event("b", 2)], "nextForwardToken": "2"},
        {"events": [], "nextForwardToken": "2"},
    )
    log = TaskLog(clients, PLACE, "t1")
    assert texts(log.new_lines()) == ["a"]
    assert texts(log.new_lines()) == ["b"]


def test_streams_of_other_containers_are_left_out(clients: Clients, scripted: ScriptedAws) -> None:
    other = log_event("x", 1, eventId="x", logStreamName="ecs/proxy/t1")
    scripted.answer("FilterLogEvents", {"events": [other, event("a", 2)]})
    assert texts(ServiceLog(clients, [PLACE], at(0)).new_lines()) == ["a"]
    assert scripted.requests("FilterLogEvents")[0]["logStreamNamePrefix"] == "ecs/web/"


def test_a_missing_group_is_named_with_what_to_do(clients: Clients, scripted: ScriptedAws) -> None:
    scripted.answer("FilterLogEvents", NO_GROUP)
    with pytest.raises(NotFoundError) as caught:
        list(ServiceLog(clients, [PLACE], at(0)).new_lines())
    assert caught.value.what == "there is no log group /ecs/web"
    assert "`schoolctl deploy` creates it" in caught.value.hint


def test_a_missing_group_is_told_from_a_missing_stream(
    clients: Clients, scripted: ScriptedAws
) -> None:
    no_stream = "The specified log stream does not exist: group/web/t1"
    scripted.answer("GetLogEvents", Refusal("ResourceNotFoundException", no_stream), NO_GROUP)
    assert last_lines(clients, PLACE, "t1", limit=10) == ()
    with pytest.raises(NotFoundError, match="there is no log group"):
        last_lines(clients, PLACE, "t1", limit=10)


class TestOnMoto:
    """The same calls against a server that keeps its own state."""

    @pytest.fixture
    def logs(self, aws: Aws) -> Any:
        logs = aws.client("logs")
        logs.create_log_group(logGroupName="/ecs/web")
        for task in ("t1", "t2"):
            logs.create_log_stream(logGroupName="/ecs/web", logStreamName=f"ecs/web/{task}")
        return logs

    @pytest.fixture
    def moto_clients(self, project: Project, logs: Any) -> Clients:
        del logs
        return Bench(project.directory, FakeClock()).run.clients

    def put(self, logs: Any, task: str, *messages: str) -> None:
        import time

        now = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName="/ecs/web",
            logStreamName=f"ecs/web/{task}",
            logEvents=[
                {"timestamp": now + number, "message": each} for number, each in enumerate(messages)
            ],
        )

    def test_new_lines_of_a_task_come_once(self, logs: Any, moto_clients: Clients) -> None:
        log = TaskLog(moto_clients, PLACE, "t1")
        self.put(logs, "t1", "one", "two")
        assert texts(log.new_lines()) == ["one", "two"]
        self.put(logs, "t1", "three")
        assert texts(log.new_lines()) == ["three"]
        assert log.new_lines() == []

    def test_the_last_lines_are_the_newest_in_order(self, logs: Any, moto_clients: Clients) -> None:
        self.put(logs, "t1", *(f"line {number}" for number in range(20)))
        found = last_lines(moto_clients, PLACE, "t1", limit=3)
        assert [each.message for each in found] == ["line 17", "line 18", "line 19"]

    def test_a_service_log_follows_all_tasks(self, logs: Any, moto_clients: Clients) -> None:
        log = ServiceLog(moto_clients, [PLACE], at(-(10**9)))
        self.put(logs, "t1", "one")
        assert texts(log.new_lines()) == ["one"]
        self.put(logs, "t2", "two")
        assert texts(log.new_lines()) == ["two"]
