"""What of a sandbox is there at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.sandbox import database, emulator
from schoolctl.sandbox.engine import own_containers
from schoolctl.sandbox.names import account_names
from schoolctl.sandbox.state import load_state
from schoolctl.sandbox.up import service_url

if TYPE_CHECKING:
    from docker.client import DockerClient

    from schoolctl.config.models import Config
    from schoolctl.sandbox.engine import OwnContainer
    from schoolctl.sandbox.layout import Layout
    from schoolctl.sandbox.state import State

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
