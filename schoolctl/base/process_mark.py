"""Which process of this machine is meant, told from every later one that gets the same number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE_FIELD = 0
_START_FIELD = 19
"""Fields of /proc/PID/stat after the name, which may hold spaces and brackets itself."""


@dataclass(frozen=True)
class ProcessMark:
    """One process.

    Attributes:
        pid: its number.
        born: the machine (the boot and the namespace of process numbers), and the tick of the
            clock at which the process started.
    """

    pid: int
    born: str

    def __str__(self) -> str:
        return f"{self.pid} {self.born}\n"

    @property
    def machine(self) -> str:
        """Within what the number means something."""
        return self.born.rpartition(":")[0]


def mark(pid: int) -> ProcessMark | None:
    """Identify the process `pid`; None when there is none, it has ended, or /proc is missing."""
    fields = _stat(pid)
    if fields is None or fields[_STATE_FIELD] in {"Z", "X"}:
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    # A container counts its processes by itself, under the boot of its host.
    namespace = (_PROC / "self/ns/pid").readlink().name.removeprefix("pid:").strip("[]")
    return ProcessMark(pid, f"{boot}:{namespace}:{fields[_START_FIELD]}")


def parse_mark(text: str) -> ProcessMark | None:
    """Read what `str(mark)` wrote; None where it is damaged."""
    pid, _, born = text.strip().partition(" ")
    return ProcessMark(int(pid), born) if pid.isdecimal() and born else None


def alive(process: ProcessMark) -> bool:
    """Tell whether this very process still runs."""
    return mark(process.pid) == process


def has_ended(process: ProcessMark) -> bool:
    """Tell whether a process is known to have ended; False wherever that cannot be seen from here.

    It cannot on another machine, in another container, after a restart, or without /proc.
    """
    return is_here(process) and not alive(process) and not _is_hidden(process.pid)


def is_here(process: ProcessMark) -> bool:
    """Tell whether a process is or was one of this machine, since its last start."""
    here = mark(os.getpid())
    return here is not None and here.machine == process.machine


def _is_hidden(pid: int) -> bool:
    """Tell whether there is a process that /proc does not show us (mounted with `hidepid`)."""
    if (_PROC / str(pid)).exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
