"""The work of the sandbox commands: up, status, logs and down."""

from __future__ import annotations

import queue
import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml
from docker.errors import DockerException

from schoolctl.base.errors import EngineError, SchoolctlError
from schoolctl.config.overlay import write_overlay
from schoolctl.sandbox import database, emulator, images, overlay
from schoolctl.sandbox.database import Certificates, ensure_certificates
from schoolctl.sandbox.host import (
    Bridge,
    check_local_engine,
    has_neighbours,
    observe_bridge,
    own_containers,
    remove_containers,
)
from schoolctl.sandbox.resources import (
    State,
    load_state,
    locked,
    new_state,
    save_state,
    write_private,
)
from schoolctl.sandbox.seed import account_names, connect, open_default_network, seed_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.config.models import Config
    from schoolctl.sandbox.host import OwnContainer
    from schoolctl.sandbox.resources import Layout, State
    from schoolctl.sandbox.seed import AccountNames


DEFAULT_PORT = 4566


@dataclass(frozen=True)
class Tools:
    """What bringing up needs from outside.

    Attributes:
        docker_host: address of the engine behind `docker`.
        tell: shows a line of progress.
    """

    docker: DockerClient
    docker_host: str
    clock: Clock
    tell: Callable[[str], None]


@dataclass(frozen=True)
class UpResult:
    """What is there now.

    Attributes:
        changes: a line for each thing that this run made; empty when all was there.
        url: address of the service through its load balancer; None where it has none.
        new_account: the account holds nothing but what was seeded: no images, no parameters.
    """

    port: int
    database_address: str
    base_image: str | None
    url: str | None
    dotenv_file: Path
    new_account: bool
    changes: tuple[str, ...]


def up(tools: Tools, layout: Layout, config: Config, *, region: str, port: int | None) -> UpResult:
    """Bring the sandbox of `layout` up and wait until it is usable.

    Args:
        tools: engine, clock, clients, progress.
        layout: which sandbox.
        config: the resolved configuration of its environment.
        region: the region the account is seeded in.
        port: the emulator's port; None for that of the last time, or 4566.

    Raises:
        SchoolctlError: what is missing or in the way; run again, it goes on from there.
    """
    overlay.check_local(config)
    check_local_engine(tools.docker_host)
    bridge = observe_bridge(tools.docker)
    with locked(layout):
        return _Raising(tools, layout, config, bridge, region).run(port)


def service_url(names: AccountNames, port: int) -> str | None:
    """Give the address of the service; browsers and curl take `*.localhost` for this machine."""
    if names.target_group is None:
        return None
    return f"http://{names.load_balancer}.alb.localhost:{port}/"


class _Raising:
    """One run of `up`, with what its steps share."""

    def __init__(
        self, tools: Tools, layout: Layout, config: Config, bridge: Bridge, region: str
    ) -> None:
        self.tools = tools
        self.layout = layout
        self.config = config
        self.bridge = bridge
        self.region = region
        self.names = account_names(config)
        self.changes: list[str] = []

    def run(self, port: int | None) -> UpResult:
        self.layout.prepare()
        state = self._ensure_state(port)
        base_image = self._ensure_base_image()
        database_image = images.ensure_database_image(self.tools.docker, self.tools.tell)
        new_account = self._start_emulator(state)
        certificates = ensure_certificates(
            self.layout.tls_folder,
            database.names(self.layout, state.bridge),
            self.tools.clock.now(),
        )
        state, container = self._start_database(state, database_image, certificates)
        self._wait(state, container)
        self._write_files(state, base_image, certificates)
        self._seed(state)
        return UpResult(
            port=state.port,
            database_address=f"{state.bridge}:{state.database_port}",
            base_image=base_image,
            url=service_url(self.names, state.port),
            dotenv_file=self.layout.dotenv_file,
            new_account=new_account,
            changes=tuple(self.changes),
        )

    def _seed(self, state: State) -> None:
        clients = connect(state, self.region)
        try:
            if self.config.infra.stack:
                # The account is as empty as a new one: `infra up` lays what is to be there.
                open_default_network(clients)
                return
            self.changes += seed_account(clients, self.names, state.database_port)
        finally:
            clients.close()

    def _ensure_state(self, port: int | None) -> State:
        kept = load_state(self.layout.state_file)
        if kept is None:
            self._remove_leftovers()
            state = self._new_state(port or DEFAULT_PORT)
        else:
            state = self._moved(kept, port)
        if state != kept:
            # Before anything is started: whatever happens then, `down` knows where to look.
            save_state(self.layout.state_file, state)
        return state

    def _new_state(self, port: int) -> State:
        addresses = ("127.0.0.1", self.bridge.address)
        emulator.check_port_free(port, addresses)
        return new_state(
            self.config.app,
            port=port,
            bridge=self.bridge.address,
            database_port=database.choose_port(addresses),
        )

    def _moved(self, kept: State, port: int | None) -> State:
        state = replace(kept, port=port or kept.port, bridge=self.bridge.address)
        process = emulator.running(self.layout)
        if process is None or state == kept:
            return state
        if state.port != kept.port:
            raise SchoolctlError(
                f"the sandbox is up already, on port {kept.port}",
                hint="`schoolctl sandbox down` first; its account does not survive a move",
            )
        # The engine was set up anew, with another network: our listener is on the old one.
        emulator.stop(self.layout, process, self.tools.clock)
        return state

    def _remove_leftovers(self) -> None:
        """Remove what an earlier sandbox of this name left, whose keys and passwords are lost."""
        emulator_left = emulator.running(self.layout)
        if emulator_left is not None:
            emulator.stop(self.layout, emulator_left, self.tools.clock)
        docker = self.tools.docker
        remove_containers(docker, own_containers(docker, self.layout))
        database.remove_volume(docker, self.layout)

    def _ensure_base_image(self) -> str | None:
        ordinary = images.default_base(self.layout.directory / self.config.image.dockerfile)
        if ordinary is None:
            return None
        return images.ensure_base(self.tools.docker, ordinary, self.tools.tell)

    def _start_emulator(self, state: State) -> bool:
        """Start the emulator unless it runs; tells whether it was started."""
        if emulator.running(self.layout) or emulator.adopt(self.layout, state.port):
            return False
        emulator.check_port_free(state.port, ("127.0.0.1", state.bridge))
        shutil.rmtree(self.layout.work_folder)
        self.layout.prepare()
        self.tools.tell(f"starting the emulator on port {state.port}")
        place = emulator.Place(self.tools.docker_host, self.bridge.subnet, self.region)
        emulator.start(self.layout, state, place)
        self.changes.append(f"emulator on port {state.port}")
        return True

    def _start_database(
        self, state: State, image: str, certificates: Certificates
    ) -> tuple[State, Container]:
        """Start the database unless it runs; gives the state with the port it got."""
        image_id = str(self.tools.docker.images.get(image).id)
        addresses = ("127.0.0.1", state.bridge)
        while True:
            container = self._ensure_container(state, image_id, certificates)
            try:
                if container.status != "running":
                    database.launch(container)
            except database.PortTakenError:
                # The data are in the volume; the container can go.
                container.remove(force=True, v=True)
                port = database.choose_port(addresses, above=state.database_port)
                state = replace(state, database_port=port)
                save_state(self.layout.state_file, state)
            else:
                return state, container

    def _ensure_container(
        self, state: State, image_id: str, certificates: Certificates
    ) -> Container:
        docker = self.tools.docker
        container = database.find(docker, self.layout)
        if container is not None and not database.fits(container, state, image_id, certificates):
            container.remove(force=True, v=True)
            container = None
        if container is None:
            self.tools.tell("starting the database")
            container = database.create(docker, self.layout, state, image_id, certificates)
            self.changes.append(f"database on port {state.database_port}")
        return container

    def _wait(self, state: State, container: Container) -> None:
        emulator.wait_ready(self.layout, state, self.tools.clock)
        database.wait_ready(container, self.layout, state, self.tools.clock)
        for port, what in ((state.port, "the emulator"), (state.database_port, "the database")):
            if not database.container_reaches(container, state.bridge, port):
                raise EngineError(
                    f"containers do not reach {what} at {state.bridge}:{port}",
                    why="this machine does, so something between drops it: mostly a firewall",
                    hint="let containers in, such as with `ufw allow in on docker0`",
                )

    def _write_files(
        self, state: State, base_image: str | None, certificates: Certificates
    ) -> None:
        values = overlay.overlay_values(
            state,
            region=self.region,
            base_image=base_image,
            platform=f"linux/{self.bridge.architecture}",
            authority=certificates.authority,
        )
        write_overlay(self.layout.directory, self.layout.environment, values)
        write_private(self.layout.dotenv_file, overlay.dotenv_text(self.config, state))


def down(
    docker: DockerClient,
    layout: Layout,
    clock: Clock,
    tell: Callable[[str], None],
    *,
    with_images: bool,
) -> tuple[str, ...]:
    """Remove the sandbox of `layout`; what has gone already is no error.

    Args:
        docker: the engine.
        layout: which sandbox.
        clock: for the waits.
        tell: shows a line of progress.
        with_images: also remove the images of the sandbox's registry and, unless another sandbox
            is there, the base images, which are otherwise kept for the next time.

    Returns:
        A line for each thing that was removed; empty when there was nothing.
    """
    if not layout.root.exists() and not with_images:
        return ()
    with locked(layout):
        port = _recorded_port(layout)
        removed = _stop_emulator(layout, port, clock, tell)
        removed += _remove_containers(docker, layout, tell)
        if with_images:
            removed += _remove_images(docker, layout, port, tell)
        removed += _remove_files(layout)
    _remove_if_empty(layout.root)
    return tuple(removed)


def _recorded_port(layout: Layout) -> int | None:
    try:
        state = load_state(layout.state_file)
    except Exception:  # noqa: BLE001  # a damaged file is no reason to leave the rest standing
        return None
    return None if state is None else state.port


def _stop_emulator(
    layout: Layout, port: int | None, clock: Clock, tell: Callable[[str], None]
) -> list[str]:
    process = emulator.running(layout)
    if process is None and port is not None:
        process = emulator.adopt(layout, port)
    if process is None:
        return []
    tell("stopping the emulator and its tasks")
    emulator.stop(layout, process, clock)
    return [f"emulator (process {process.pid})"]


def _remove_containers(
    docker: DockerClient, layout: Layout, tell: Callable[[str], None]
) -> list[str]:
    # The emulator removes its tasks' containers when it ends, except one that a service was
    # starting at that moment; the engine may even be making it while we look.
    removed: list[str] = []
    while containers := own_containers(docker, layout):
        if not removed:
            tell("removing the database")
        remove_containers(docker, containers)
        removed += [f"container {each.name}" for each in containers]
    if database.remove_volume(docker, layout):
        removed.append(f"volume {database.container_name(layout)}")
    return removed


def _remove_images(
    docker: DockerClient, layout: Layout, port: int | None, tell: Callable[[str], None]
) -> list[str]:
    shared = has_neighbours(docker, layout)
    if shared:
        tell("keeping the base images: another sandbox on this machine builds on them")
    count = images.remove_images(docker, port=port, base_images=not shared)
    return [f"{count} image names"] if count else []


def _remove_files(layout: Layout) -> list[str]:
    removed = []
    if _clean_overlay(layout.root / f"{layout.environment}.yaml"):
        removed.append(f".schoolctl/{layout.environment}.yaml")
    if layout.dotenv_file.exists():
        layout.dotenv_file.unlink()
        removed.append(f".schoolctl/{layout.environment}.env")
    if layout.folder.exists():
        shutil.rmtree(layout.folder)
        removed.append(f".schoolctl/{layout.environment}/")
    return removed


def _clean_overlay(path: Path) -> bool:
    """Take our keys out of the overlay, and the file away where nothing else is in it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    kept = overlay.without(values, overlay.OUR_KEYS) if isinstance(values, dict) else {}
    if kept == values:
        return False
    if kept:
        write_private(path, yaml.safe_dump(kept, sort_keys=False))
    else:
        path.unlink()
    return True


def _remove_if_empty(root: Path) -> None:
    if {each.name for each in root.iterdir()} <= {".gitignore"}:
        shutil.rmtree(root)


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
