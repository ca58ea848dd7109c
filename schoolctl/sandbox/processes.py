"""Processes of this machine: how to end one, and what it was started with."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from schoolctl.base.process_mark import alive

if TYPE_CHECKING:
    from schoolctl.base.clock import Clock
    from schoolctl.base.process_mark import ProcessMark

_PROC = Path("/proc")
_POLL_SECONDS = 0.05


def terminate(process: ProcessMark, clock: Clock, *, patience_seconds: float) -> None:
    """End `process` and what it started: politely, then by force after `patience_seconds`.

    A process that has ended already is left alone, whoever has its number now.
    """
    if not alive(process):
        return
    _send(process.pid, signal.SIGTERM)
    if not _wait_gone(process, clock, patience_seconds):
        # It leads a session of its own, so its group is what it started and nothing else.
        _send_group(process.pid)
        _wait_gone(process, clock, patience_seconds)


def environment_of(pid: int) -> dict[str, str]:
    """Give the environment `pid` was started with; empty where we may not read it."""
    try:
        block = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition("=") for item in os.fsdecode(block).split("\0") if item)
    return {name: value for name, _, value in pairs}


def _send(pid: int, which: signal.Signals) -> None:
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return


def _send_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_gone(process: ProcessMark, clock: Clock, seconds: float) -> bool:
    deadline = clock.monotonic() + seconds
    while alive(process):
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(_POLL_SECONDS)
    return True
