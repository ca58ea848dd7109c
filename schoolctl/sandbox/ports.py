"""TCP ports and processes of this machine."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schoolctl.base.process_mark import alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.base.clock import Clock
    from schoolctl.base.process_mark import ProcessMark


_PROC = Path("/proc")
_LISTEN = "0A"
_COMMAND_WIDTH = 120


@dataclass(frozen=True)
class PortHolder:
    """Who listens on a port; `pid` is None where the kernel does not tell us."""

    pid: int | None
    command: str

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})" if self.pid else "a process of another user"


def can_bind(address: str, port: int) -> bool:
    """Tell whether a server could listen on `port` of `address`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that lingers from before is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> PortHolder | None:
    """Find who listens on the TCP port `port` on any address; None when nobody does."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and wanted & set(_descriptors(entry)):
            return PortHolder(int(entry.name), _command(entry))
    return PortHolder(None, "")


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (_PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _descriptors(process: Path) -> Iterator[str]:
    try:
        links = list((process / "fd").iterdir())
    except OSError:
        return
    for link in links:
        try:
            yield str(link.readlink())
        except OSError:
            continue


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "a process"
    return os.fsdecode(b" ".join(words)).strip()[:_COMMAND_WIDTH] or "a process"


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
