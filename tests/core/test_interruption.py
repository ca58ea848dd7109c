"""Signals at a real process: what is finished, what is told, and what becomes of the lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.core.lock_rules import Holder, parse_holder, render_holder
from tests.worlds.account import NAME, Account, edit, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Aws, Project
    from tests.faults import Faults

LOCK = "/schoolctl/schoolapp/dev/lock"
PATIENCE_SECONDS = 20.0
SIGNALS = pytest.mark.parametrize(
    ("number", "code", "what"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "stopped by Ctrl-C"),
        (signal.SIGTERM, ExitCode.TERMINATED, "stopped by SIGTERM"),
    ],
    ids=["SIGINT", "SIGTERM"],
)


@pytest.fixture
def account(aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give a service at 1.0, and an image 1.1 to deploy."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    return serving(aws, project.directory)


class Process:
    """The command as a process of its own; what it says on stderr is read while it runs."""

    def __init__(self, project: Project, *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "schoolctl", *args],
            cwd=project.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(iter(self._process.stderr.readline, ""))

    @property
    def stderr(self) -> str:
        return "".join(self._said)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> tuple[int, dict[str, Any]]:
        """Wait for the end; gives the exit code and the document."""
        assert self._process.stdout is not None
        stdout = self._process.stdout.read()
        self._reader.join()
        self.wait()
        return self._process.returncode, json.loads(stdout)

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.stderr)

    def wait(self) -> None:
        self._process.wait(PATIENCE_SECONDS)


def until(reached: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < give_up_at
        threading.Event().wait(0.01)


class Running:
    """A process that is started after the fault that needs it was arranged."""

    process: Process

    def start(self, project: Project, *args: str) -> Process:
        self.process = Process(project, *args)
        return self.process

    def kill(self) -> None:
        self.process.kill()


def held(aws: Aws) -> Holder | None:
    found = aws.client("ssm").get_parameters(Names=[LOCK])["Parameters"]
    return parse_holder(found[0]["Value"]) if found else None


# Once


@SIGNALS
def test_a_change_in_flight_is_finished_and_told(
    project: Project, account: Account, faults: Faults, number: int, code: int, what: str
) -> None:
    running = Running()
    faults.before("UpdateService", lambda: running.process.send(number))
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert ended == code
    assert account.runs() == f"{NAME}:2"
    assert document["verdict"] == "started"
    assert document["deployment_id"]
    error = document["error"]
    assert error["what"] == what
    assert error["done"][-1].startswith(f"update service schoolapp/{NAME}")
    assert [each.split(" ")[0] for each in error["left"]] == ["wait", "mark"]
    assert "the rollout goes on" in error["hint"]
    assert "watch it with `schoolctl" in error["hint"]
    assert "schoolctl rollback" in error["hint"]
    assert "stopping as soon as AWS has answered" in running.process.stderr
    assert held(account.aws) is None
    assert faults.calls[-2:] == ["GetParameter", "DeleteParameter"]


@SIGNALS
def test_nothing_is_begun_after_a_signal(
    project: Project, account: Account, faults: Faults, number: int, code: int, what: str
) -> None:
    running = Running()
    faults.before("RegisterTaskDefinition", lambda: running.process.send(number))
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert (ended, document["error"]["what"]) == (code, what)
    assert document["revision"] == f"{NAME}:2"
    assert document["error"]["left"][0].startswith("update service")
    assert document["error"]["hint"] == "run it again: what is done is not done twice"
    assert "UpdateService" not in faults.calls
    assert account.runs() == f"{NAME}:1"
    assert held(account.aws) is None


@pytest.mark.parametrize("call", ["PutParameter", "DescribeServices", "GetCallerIdentity"])
def test_a_signal_before_anything_was_changed_leaves_no_lock(
    project: Project, account: Account, faults: Faults, call: str
) -> None:
    running = Running()
    faults.before(call, lambda: running.process.send(signal.SIGINT))
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert ended == ExitCode.INTERRUPTED
    assert document["error"]["done"] == []
    assert "RegisterTaskDefinition" not in faults.calls
    assert held(account.aws) is None


@SIGNALS
def test_the_wait_for_a_rollout_ends_at_once_and_the_lock_is_free(
    project: Project, account: Account, faults: Faults, number: int, code: int, what: str
) -> None:
    running = Running()

    def in_the_wait() -> None:
        # The answer is kept back until the process has ended: nothing waits for it.
        assert held(account.aws) is not None
        running.process.send(number)
        running.process.wait()

    faults.before("UpdateService", lambda: faults.before("DescribeServices", in_the_wait))
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert (ended, document["error"]["what"]) == (code, what)
    assert "the rollout goes on" in document["error"]["hint"]
    assert held(account.aws) is None


def test_a_signal_while_the_lock_is_freed_frees_it(
    project: Project, account: Account, faults: Faults
) -> None:
    running = Running()
    faults.before("DeleteParameter", lambda: running.process.send(signal.SIGINT))
    args = ("deploy", "--tag", "1.1", "--no-wait", "--json")
    ended, document = running.start(project, *args).end()
    assert ended == ExitCode.INTERRUPTED
    assert document["verdict"] == "started"
    assert document["error"]["why"] == "it came when everything was done"
    assert held(account.aws) is None


def test_the_release_command_is_stopped_and_that_is_told(
    project: Project, account: Account, faults: Faults
) -> None:
    edit(project.directory, "  target_group:", "  release_command: [migrate]\n  target_group:")
    # moto adds up what the containers ask for.
    memory = "  overrides: {containerDefinitions: [{name: web, cpu: 1, memory: 128}]}\nservice:\n"
    edit(project.directory, "service:\n", memory)
    running = Running()
    faults.before("RunTask", lambda: running.process.send(signal.SIGINT))
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert ended == ExitCode.INTERRUPTED
    assert "is being stopped" in document["error"]["hint"]
    assert "release command" in document["error"]["why"]
    assert "StopTask" in faults.calls
    assert "UpdateService" not in faults.calls
    assert held(account.aws) is None


def test_who_waits_for_a_lock_is_stopped_at_once(project: Project, account: Account) -> None:
    theirs = render_holder(Holder("theirs", who="ann", host="far", command="schoolctl deploy"))
    account.aws.client("ssm").put_parameter(Name=LOCK, Value=theirs, Type="String")
    process = Process(project, "deploy", "--tag", "1.1", "--lock-wait", "60", "--json")
    process.wait_for("waiting for ann on far")
    process.send(signal.SIGINT)
    ended, document = process.end()
    assert ended == ExitCode.INTERRUPTED
    assert document["error"]["what"] == "stopped by Ctrl-C"
    kept = held(account.aws)
    assert kept is not None
    assert kept.id == "theirs"


@SIGNALS
def test_following_a_log_ends_without_an_error(
    project: Project, account: Account, faults: Faults, number: int, code: int, what: str
) -> None:
    faults.before("FilterLogEvents", lambda: os.kill(os.getpid(), number))
    done = project.invoke("logs", "-f")
    assert done.exit_code == code
    assert what not in done.stderr
    assert "error:" not in done.stderr
    assert account.runs() == f"{NAME}:1"


# Twice


@SIGNALS
def test_the_second_signal_leaves_at_once_and_names_the_lock(
    project: Project, account: Account, faults: Faults, number: int, code: int, what: str
) -> None:
    running = Running()

    def twice() -> None:
        running.process.send(number)
        running.process.wait_for("stopping as soon as AWS has answered")
        running.process.send(number)
        running.process.wait()

    faults.before("UpdateService", twice)
    ended, document = running.start(project, "deploy", "--tag", "1.1", "--json").end()
    assert (ended, document["error"]["what"]) == (code, what)
    assert "whether it did so is not known" in document["error"]["why"]
    kept = held(account.aws)
    assert kept is not None
    stderr = running.process.stderr
    assert f"the deploy lock {LOCK} stays" in stderr
    assert f"`schoolctl lock release --id {kept.id}` frees it now" in stderr
    assert "DeleteParameter" not in faults.calls


@pytest.mark.usefixtures("account")
def test_the_second_signal_ends_the_freeing_of_the_lock(project: Project, faults: Faults) -> None:
    running = Running()

    def twice() -> None:
        running.process.send(signal.SIGINT)
        running.process.wait_for("stopping as soon as AWS has answered")
        running.process.send(signal.SIGINT)
        running.process.wait()

    faults.before("DeleteParameter", twice)
    args = ("deploy", "--tag", "1.1", "--no-wait", "--json")
    ended, document = running.start(project, *args).end()
    assert ended == ExitCode.INTERRUPTED
    assert document["verdict"] == "started"
    assert f"the deploy lock {LOCK} stays" in running.process.stderr


# Killed


def test_the_lock_of_a_killed_run_is_taken_over_at_once_on_its_host(
    project: Project, account: Account, faults: Faults
) -> None:
    running = Running()
    faults.before("UpdateService", running.kill)
    running.start(project, "deploy", "--tag", "1.1", "--no-wait", "--json").wait()
    left = held(account.aws)
    assert left is not None
    args = ("deploy", "--tag", "1.1", "--no-wait", "--json")
    again = Process(project, *args)
    ended, document = again.end()
    assert ended == 0, document
    assert "taking over the deploy lock: its process is dead" in again.stderr
    assert held(account.aws) is None


def test_the_lock_of_a_killed_run_of_another_host_is_respected_and_named(
    project: Project, account: Account, faults: Faults
) -> None:
    running = Running()
    faults.before("UpdateService", running.kill)
    running.start(project, "deploy", "--tag", "1.1", "--no-wait", "--json").wait()
    left = held(account.aws)
    assert left is not None
    elsewhere = replace(left, host="build-7")
    account.aws.client("ssm").put_parameter(
        Name=LOCK, Value=render_holder(elsewhere), Type="String", Overwrite=True
    )
    done = project.invoke("rollback", "--no-wait", "--json")
    assert done.exit_code == ExitCode.BUSY
    document = json.loads(done.stdout)
    assert document["error"]["holder"] == elsewhere.document()
    for part in ("user", f"build-7, pid {left.pid}", "schoolctl deploy --tag 1.1"):
        assert part in document["error"]["why"]
    assert f"`schoolctl lock release --id {left.id}`" in document["error"]["hint"]
