"""The parts of a sandbox as they are, and their log lines."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.errors import DockerException

from schoolctl.sandbox import database, emulator
from schoolctl.sandbox.apply import service_url
from schoolctl.sandbox.engine import own_containers
from schoolctl.sandbox.layout import load_state
from schoolctl.sandbox.seed import account_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.config.models import Config
    from schoolctl.sandbox.engine import OwnContainer
    from schoolctl.sandbox.layout import Layout, State


_FAMILY = "com.amazonaws.ecs.task-definition-family"
_REVISION = "com.amazonaws.ecs.task-definition-version"
_TASK = "com.amazonaws.ecs.task-arn"


@dataclass(frozen=True)
class Part:
    """One of the two things a sandbox consists of.

    Attributes:
        state: `up`, or what is wrong.
        address: where it answers; None where it was never brought up.
    """

    name: str
    state: str
    address: str | None
    log: str

    @property
    def is_up(self) -> bool:
        """Whether it is usable."""
        return self.state == "up"


@dataclass(frozen=True)
class TaskContainer:
    """A container of a task: its container's name, revision, task id and state."""

    container: str
    revision: str
    task_id: str
    state: str


@dataclass(frozen=True)
class Status:
    """A sandbox as it is now; `parts` are the emulator and the database."""

    parts: tuple[Part, ...]
    tasks: tuple[TaskContainer, ...]
    url: str | None

    @property
    def is_up(self) -> bool:
        """Whether all of it is usable."""
        return all(part.is_up for part in self.parts)


def observe_status(docker: DockerClient, layout: Layout, config: Config) -> Status:
    """Look at the process, the containers, and whether both answer."""
    state = load_state(layout.state_file)
    parts = (_emulator(layout, state), _database(docker, layout, state))
    url = service_url(account_names(config), state.port) if state is not None else None
    tasks = tuple(_task(each) for each in own_containers(docker, layout) if each.is_task)
    return Status(parts, tuple(sorted(tasks, key=lambda task: task.task_id)), url)


def _emulator(layout: Layout, state: State | None) -> Part:
    log = str(layout.log_file)
    if state is None:
        return Part("emulator", "not there", None, log)
    if emulator.running(layout) is None:
        return Part("emulator", "stopped", state.endpoint, log)
    answer = "up" if emulator.answers(state) else "does not answer"
    return Part("emulator", answer, state.endpoint, log)


def _database(docker: DockerClient, layout: Layout, state: State | None) -> Part:
    log = f"docker logs {database.container_name(layout)}"
    container = database.find(docker, layout)
    if state is None or container is None:
        return Part("database", "not there", None, log)
    address = f"{state.bridge}:{state.database_port}"
    if container.status != "running":
        return Part("database", container.status, address, log)
    reason = database.login_failure(layout, state)
    return Part("database", "up" if reason is None else reason, address, log)


def _task(container: OwnContainer) -> TaskContainer:
    labels = container.labels
    return TaskContainer(
        container=container.name,
        revision=f"{labels.get(_FAMILY, '?')}:{labels.get(_REVISION, '?')}",
        task_id=labels.get(_TASK, "?").rpartition("/")[2],
        state=container.state,
    )


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
