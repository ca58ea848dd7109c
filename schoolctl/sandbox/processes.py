"""Processes of this machine, from /proc: whether one still runs, and how to end it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schoolctl.clock import Clock

_PROC = Path("/proc")
_STATE_FIELD = 0
_START_FIELD = 19
"""Fields of /proc/PID/stat after the name, which may hold spaces and brackets itself."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessMark:
    """One process, told from every later one that gets the same number.

    Attributes:
        pid: its number.
        born: the boot and the tick of the clock at which it started.
    """

    pid: int
    born: str

    def __str__(self) -> str:
        return f"{self.pid} {self.born}\n"


def mark(pid: int) -> ProcessMark | None:
    """Identify the process `pid`; None when there is none, or it has ended."""
    fields = _stat(pid)
    if fields is None or fields[_STATE_FIELD] in {"Z", "X"}:
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ProcessMark(pid, f"{boot}:{fields[_START_FIELD]}")


def parse_mark(text: str) -> ProcessMark | None:
    """Read what `str(mark)` wrote; None where it is damaged."""
    pid, _, born = text.strip().partition(" ")
    return ProcessMark(int(pid), born) if pid.isdecimal() and born else None


def alive(process: ProcessMark) -> bool:
    """Tell whether this very process still runs."""
    return mark(process.pid) == process


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


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


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
