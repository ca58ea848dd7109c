"""Looking at a service whose last deployment crashed: real containers, real log lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Sandbox

_SAID = "the canary sings: no database today"


@pytest.fixture(scope="module")
def crashed(sandbox: Sandbox) -> str:
    """Deploy an image whose process ends at once; gives its revision. ECS goes back to 1.0."""
    dockerfile = sandbox.directory / "Dockerfile"
    before = dockerfile.read_text()
    lines = [line for line in before.splitlines() if not line.startswith("CMD ")]
    lines.append(f'CMD ["python", "-c", "raise SystemExit(\'{_SAID}\')"]')
    dockerfile.write_text("\n".join(lines) + "\n")
    try:
        sandbox.run("push", "--tag", "0.9-crash")
    finally:
        dockerfile.write_text(before)
    return str(sandbox.json("deploy", "--tag", "0.9-crash", code=3)["revision"])


def test_why_shows_exit_code_and_the_very_log_lines(sandbox: Sandbox, crashed: str) -> None:
    told = sandbox.json("why")
    assert told["trouble"] is True
    assert told["revision"] == crashed
    assert {each["exit_code"] for each in told["stopped_tasks"]} == {1}
    assert [each["message"] for each in told["log"]] == [_SAID]
    assert told["log_task"] == told["stopped_tasks"][0]["id"]
    head, fix, cause, *rest = sandbox.run("why").out.splitlines()
    assert f"the rollout of {crashed} failed and was rolled back to " in head
    assert fix.startswith("fix:   ")
    assert cause.startswith("cause: ")
    assert f"  | {_SAID}" in rest
    assert any("exit code 1" in line for line in rest)


def test_why_explains_one_task_by_the_first_digits_of_its_id(
    sandbox: Sandbox, crashed: str
) -> None:
    stopped = _of(sandbox, crashed)
    said = sandbox.run("why", "--task", stopped[0]["id"][:8]).out
    assert said.startswith(f"task {stopped[0]['id'][:8]} of {crashed} stopped ")
    assert f"  | {_SAID}" in said


def test_tasks_tells_the_stopped_from_the_running(sandbox: Sandbox, crashed: str) -> None:
    running = sandbox.json("tasks")["tasks"]
    assert running
    assert {each["last_status"] for each in running} == {"RUNNING"}
    assert crashed not in {each["revision"] for each in running}
    for task in _of(sandbox, crashed):
        assert task["stop_code"] == "EssentialContainerExited"
        assert task["containers"][0]["exit_code"] == 1


def _of(sandbox: Sandbox, revision: str) -> list[dict[str, Any]]:
    stopped = sandbox.json("tasks", "--stopped")["tasks"]
    return [each for each in stopped if each["revision"] == revision]


def test_events_mark_what_the_circuit_breaker_did(sandbox: Sandbox, crashed: str) -> None:
    del crashed
    told = sandbox.json("events", "--limit", "100")["events"]
    assert any(each["trouble"] and "circuit breaker" in each["message"] for each in told)


def test_history_tells_what_failed_and_what_runs(sandbox: Sandbox, crashed: str) -> None:
    attempts = sandbox.json("history")["deployments"]
    failed = next(each for each in attempts if each["revision"] == crashed)
    assert (failed["verdict"], failed["tag"], failed["runs"]) == ("failed", "0.9-crash", False)
    [runs] = [each for each in attempts if each["runs"]]
    assert runs["revision"] == sandbox.json("status")["revision"]
    assert runs["verdict"] == "completed"
    assert not failed["rollback_target"]


def test_status_names_a_parameter_that_changed_after_the_tasks_started(sandbox: Sandbox) -> None:
    assert sandbox.json("status")["settings"]["changed"] == []
    value = sandbox.json("params", "get", "db_name", "--reveal")["parameter"]["value"]
    sandbox.run("params", "set", "db_name=another")
    sandbox.run("params", "set", f"db_name={value}")
    [changed] = sandbox.json("status")["settings"]["changed"]
    assert changed.endswith("/db_name")
    assert " restart` lets the tasks read it anew" in sandbox.run("status").out


def test_logs_of_the_crashed_tasks_are_found_by_their_text(sandbox: Sandbox, crashed: str) -> None:
    del crashed
    deadline = time.monotonic() + 20
    lines: list[dict[str, str]] = []
    while not lines and time.monotonic() < deadline:
        time.sleep(0.5)
        lines = sandbox.json("logs", "--since", "30m", "--grep", "CANARY")["lines"]
    assert {each["message"] for each in lines} == {_SAID}
    assert {each["container"] for each in lines} == {"web"}
