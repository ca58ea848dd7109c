"""The emulator's and the database's log lines, each with the name of who wrote it."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.errors import DockerException

from schoolctl.sandbox import database, emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.layout import Layout

_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class LogLine:
    """A line, and whose it is: `emulator` or `database`."""

    source: str
    text: str


def read_logs(docker: DockerClient, layout: Layout, lines: int) -> list[LogLine]:
    """Give the last `lines` lines of each; empty where there is no sandbox."""
    found = [LogLine("emulator", text) for text in emulator.log_tail(layout, lines)]
    container = database.find(docker, layout)
    if container is not None:
        text = bytes(container.logs(tail=lines)).decode(errors="replace")
        found += [LogLine("database", line) for line in text.splitlines()]
    return found


def follow_logs(docker: DockerClient, layout: Layout, clock: Clock) -> Iterator[LogLine]:
    """Give the lines that are written from now on, until the emulator has ended."""
    if emulator.running(layout) is None:
        return
    news: queue.Queue[LogLine] = queue.Queue()
    container = database.find(docker, layout)
    if container is not None:
        threading.Thread(target=_follow_container, args=(container, news), daemon=True).start()
    with layout.log_file.open("rb") as stream:
        stream.seek(0, 2)
        rest = b""
        while True:
            rest += stream.read()
            *complete, rest = rest.split(b"\n")
            yield from (LogLine("emulator", each.decode(errors="replace")) for each in complete)
            while not news.empty():
                yield news.get()
            if emulator.running(layout) is None:
                return
            clock.sleep(_POLL_SECONDS)


def _follow_container(container: Container, news: queue.Queue[LogLine]) -> None:
    rest = b""
    try:
        for chunk in container.logs(stream=True, follow=True, tail=0):
            *complete, rest = (rest + chunk).split(b"\n")
            for line in complete:
                news.put(LogLine("database", line.decode(errors="replace")))
    except DockerException:
        return
