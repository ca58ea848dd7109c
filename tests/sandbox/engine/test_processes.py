"""Processes and ports of this machine: real ones, and no engine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.clock import SystemClock
from schoolctl.base.errors import SchoolctlError
from schoolctl.base.process_mark import ProcessMark, alive, mark, parse_mark
from schoolctl.sandbox import emulator
from schoolctl.sandbox.host import can_bind, environment_of, port_holder, terminate
from schoolctl.sandbox.resources import Layout, new_state, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def ready() -> Iterator[ThreadingHTTPServer]:
    """Answer as an emulator that is ready does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that sleeps, in a session of its own."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def mark_of(process: subprocess.Popen[bytes]) -> ProcessMark:
    found = mark(process.pid)
    assert found is not None
    return found


def test_a_mark_is_read_as_it_was_written(sleeper: subprocess.Popen[bytes]) -> None:
    found = mark_of(sleeper)
    assert parse_mark(str(found)) == found


@pytest.mark.parametrize("text", ["", "12", "x 1", "-3 boot:1", "12 "])
def test_a_damaged_mark_is_none(text: str) -> None:
    assert parse_mark(text) is None


def test_an_ended_process_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    found = mark_of(sleeper)
    assert alive(found)
    sleeper.kill()
    sleeper.wait()
    assert not alive(found)


def test_a_process_that_ended_and_was_not_waited_for_is_not_alive(
    sleeper: subprocess.Popen[bytes],
) -> None:
    found = mark_of(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(found)


def test_the_next_process_with_the_same_number_is_left_alone(
    sleeper: subprocess.Popen[bytes],
) -> None:
    earlier = ProcessMark(sleeper.pid, "another-boot:1")
    terminate(earlier, SystemClock(), patience_seconds=5)
    assert sleeper.poll() is None


def test_a_process_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    terminate(mark_of(sleeper), SystemClock(), patience_seconds=5)
    assert sleeper.wait(timeout=5) == -15


def test_a_process_that_does_not_listen_is_ended_by_force() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        terminate(mark_of(process), SystemClock(), patience_seconds=0.3)
        assert process.wait(timeout=5) == -9


def test_a_taken_port_cannot_be_bound(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not can_bind("127.0.0.1", port)
    assert can_bind("127.0.0.2", port)


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    assert not can_bind("198.51.100.7", 0)


def test_the_holder_of_a_port_is_named(listener: socket.socket) -> None:
    holder = port_holder(listener.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()
    assert str(os.getpid()) in str(holder)


def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_holder(port) is None


def test_a_taken_port_is_refused_with_the_name_of_who_has_it(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(SchoolctlError) as caught:
        emulator.check_port_free(port, ("127.0.0.1",))
    assert str(os.getpid()) in caught.value.why
    assert "--port" in caught.value.hint


def test_the_environment_of_a_process_is_read() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], env={"NAME": "a=b"}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        # The kernel sets it after the parent has been told that the program was started.
        process.stdout.readline()
        found = environment_of(process.pid)
        process.kill()
    assert found["NAME"] == "a=b"


def test_a_foreign_listener_is_not_taken_for_our_emulator(
    tmp_path: Path, listener: socket.socket
) -> None:
    layout = Layout(tmp_path, "sandbox")
    layout.prepare()
    assert emulator.adopt(layout, listener.getsockname()[1]) is None
    assert not layout.process_file.exists()


def test_an_answer_of_another_emulator_is_not_taken_for_ours(
    tmp_path: Path, ready: ThreadingHTTPServer
) -> None:
    """As when two start at once: the port was free for both, and the other has got it."""
    layout = Layout(tmp_path, "sandbox")
    layout.prepare()
    port = ready.server_address[1]
    state = new_state("app", port=port, bridge="127.0.0.1", database_port=1)
    assert emulator.answers(state)
    with pytest.raises(SchoolctlError, match="the emulator ended as soon as it was started"):
        emulator.wait_ready(layout, state, SystemClock())


def test_a_note_of_a_process_that_is_gone_is_no_running_emulator(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "sandbox")
    layout.prepare()
    assert emulator.running(layout) is None
    write_private(layout.process_file, str(ProcessMark(os.getpid(), "another-boot:1")))
    assert emulator.running(layout) is None
