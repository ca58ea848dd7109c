"""The work of the sandbox commands: up, status, logs and down, over the registry of resources."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import yaml

from schoolctl.base.errors import SchoolctlError
from schoolctl.config.merge import deep_merge
from schoolctl.config.overlay import overlay_path, write_overlay
from schoolctl.sandbox import emulator
from schoolctl.sandbox.database import Database, choose_database_port
from schoolctl.sandbox.host import (
    check_local_engine,
    has_neighbours,
    observe_bridge,
    own_containers,
    remove_containers,
)
from schoolctl.sandbox.images import BaseImage, remove_images
from schoolctl.sandbox.resources import (
    Part,
    Resource,
    Setup,
    check_local,
    dotenv_text,
    load_state,
    locked,
    new_state,
    save_state,
    without,
    write_private,
)
from schoolctl.sandbox.seed import Account, account_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from schoolctl.config.models import Config
    from schoolctl.sandbox.host import OwnContainer
    from schoolctl.sandbox.resources import Bridge, Layout, Sandbox, State
    from schoolctl.sandbox.seed import AccountNames

RESOURCES: Final[tuple[type[Resource], ...]] = (BaseImage, emulator.Emulator, Database, Account)
"""Every resource of a sandbox, in the order of every step of every command."""

DEFAULT_PORT = 4566


@dataclass(frozen=True)
class UpResult:
    """Result of `up`.

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


def up(sandbox: Sandbox, config: Config, *, region: str, port: int | None) -> UpResult:
    """Bring a sandbox up and wait until it is usable; what is there already is left as it is.

    Args:
        sandbox: which sandbox.
        config: the resolved configuration of its environment.
        region: the region the account is seeded in.
        port: the emulator's port; None for that of the last time, or 4566.

    Raises:
        SchoolctlError: what is missing or in the way; run again, it goes on from there.
    """
    check_local(config)
    check_local_engine(sandbox.docker_host)
    bridge = observe_bridge(sandbox.docker)
    with locked(sandbox.layout):
        sandbox.layout.prepare()
        setup = Setup(config, region, bridge, _ensure_state(sandbox, config, bridge, port))
        resources = _resources(sandbox)
        for each in resources:
            each.prepare(setup)
        for each in resources:
            each.start(setup)
        for each in resources:
            each.wait(setup)
        _write_settings(sandbox.layout, resources, setup)
        for each in resources:
            each.seed(setup)
    return UpResult(
        port=setup.state.port,
        database_address=f"{setup.state.bridge}:{setup.state.database_port}",
        base_image=setup.base_image,
        url=service_url(account_names(config), setup.state.port),
        dotenv_file=sandbox.layout.dotenv_file,
        new_account=setup.new_account,
        changes=tuple(setup.changes),
    )


def service_url(names: AccountNames, port: int) -> str | None:
    """Return the address of the service; browsers and curl take `*.localhost` for this machine."""
    if names.target_group is None:
        return None
    return f"http://{names.load_balancer}.alb.localhost:{port}/"


def overlay_values(resources: Iterable[Resource], setup: Setup) -> dict[str, object]:
    """Return the content of `.schoolctl/<environment>.yaml`: the settings of all resources."""
    values: dict[str, object] = {}
    for each in resources:
        values = deep_merge(values, each.settings(setup))
    return values


def overlay_keys(resources: Iterable[type[Resource]] = RESOURCES) -> dict[str, object]:
    """Return the keys of `overlay_values`, nested, with None for each value."""
    keys: dict[str, object] = {}
    for each in resources:
        keys = deep_merge(keys, each.overlay_keys)
    return keys


def _resources(sandbox: Sandbox) -> list[Resource]:
    return [each(sandbox) for each in RESOURCES]


def _ensure_state(sandbox: Sandbox, config: Config, bridge: Bridge, port: int | None) -> State:
    kept = load_state(sandbox.layout.state_file)
    if kept is None:
        # What an earlier sandbox of this name left, whose keys and passwords are lost.
        _remove_resources(replace(sandbox, tell=lambda _: None), None)
        state = _new_state(config, bridge, port or DEFAULT_PORT)
    else:
        state = _moved(sandbox, kept, bridge, port)
    if state != kept:
        # Before anything is started: whatever happens then, `down` knows where to look.
        save_state(sandbox.layout.state_file, state)
    return state


def _new_state(config: Config, bridge: Bridge, port: int) -> State:
    emulator.check_port_free(port, ("127.0.0.1", bridge.address))
    return new_state(
        config.app,
        port=port,
        bridge=bridge.address,
        database_port=choose_database_port(bridge.address),
    )


def _moved(sandbox: Sandbox, kept: State, bridge: Bridge, port: int | None) -> State:
    state = replace(kept, port=port or kept.port, bridge=bridge.address)
    process = emulator.running(sandbox.layout)
    if process is None or state == kept:
        return state
    if state.port != kept.port:
        raise SchoolctlError(
            f"the sandbox is up already, on port {kept.port}",
            hint="`schoolctl sandbox down` first; its account does not survive a move",
        )
    # The engine was set up anew, with another network: our listener is on the old one.
    emulator.stop(sandbox.layout, process, sandbox.clock)
    return state


def _write_settings(layout: Layout, resources: Sequence[Resource], setup: Setup) -> None:
    write_overlay(layout.directory, layout.environment, overlay_values(resources, setup))
    values: dict[str, str] = {}
    for each in resources:
        values |= each.parameters(setup.state)
    write_private(layout.dotenv_file, dotenv_text(setup.config, values))


def down(sandbox: Sandbox, *, with_images: bool) -> tuple[str, ...]:
    """Remove everything that a sandbox made, and nothing else; what has gone already is no error.

    Args:
        sandbox: which sandbox.
        with_images: also remove the images of the sandbox's registry and, unless another sandbox
            is there, the base images, which are otherwise kept for the next time.

    Returns:
        A line for each thing that was removed; empty when there was nothing.
    """
    layout = sandbox.layout
    if not layout.root.exists() and not with_images:
        return ()
    with locked(layout):
        state = _recorded_state(layout)
        removed = _remove_resources(sandbox, state)
        if with_images:
            removed += _remove_images(sandbox, state)
        removed += _remove_files(layout)
    _remove_if_empty(layout.root)
    return tuple(removed)


def _recorded_state(layout: Layout) -> State | None:
    try:
        return load_state(layout.state_file)
    except Exception:  # noqa: BLE001  # a damaged file is no reason to leave the rest standing
        return None


def _remove_resources(sandbox: Sandbox, state: State | None) -> list[str]:
    resources = _resources(sandbox)
    removed = [line for each in resources for line in each.stop(state)]
    removed += _remove_containers(sandbox)
    return removed + [line for each in resources for line in each.remove_data()]


def _remove_containers(sandbox: Sandbox) -> list[str]:
    # The emulator removes its tasks' containers when it ends, except one that a service was
    # starting at that moment; the engine may even be making it while we look.
    removed: list[str] = []
    while containers := own_containers(sandbox.docker, sandbox.layout):
        if not removed:
            sandbox.tell("removing the database")
        remove_containers(sandbox.docker, containers)
        removed += [f"container {each.name}" for each in containers]
    return removed


def _remove_images(sandbox: Sandbox, state: State | None) -> list[str]:
    shared = has_neighbours(sandbox.docker, sandbox.layout)
    if shared:
        sandbox.tell("keeping the base images: another sandbox on this machine builds on them")
    port = None if state is None else state.port
    count = remove_images(sandbox.docker, port=port, base_images=not shared)
    return [f"{count} image names"] if count else []


def _remove_files(layout: Layout) -> list[str]:
    removed = []
    if _clean_overlay(overlay_path(layout.directory, layout.environment)):
        removed.append(f".schoolctl/{layout.environment}.yaml")
    if layout.dotenv_file.exists():
        layout.dotenv_file.unlink()
        removed.append(f".schoolctl/{layout.environment}.env")
    if layout.folder.exists():
        shutil.rmtree(layout.folder)
        removed.append(f".schoolctl/{layout.environment}/")
    return removed


def _clean_overlay(path: Path) -> bool:
    """Remove our keys from the overlay, and the file where nothing else is in it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    kept = without(values, overlay_keys()) if isinstance(values, dict) else {}
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
class TaskContainer:
    """A container of a task: its container's name, revision, task id and state."""

    container: str
    revision: str
    task_id: str
    state: str


@dataclass(frozen=True)
class Status:
    """Sandbox status; `parts` are the resources that run."""

    parts: tuple[Part, ...]
    tasks: tuple[TaskContainer, ...]
    url: str | None

    @property
    def is_up(self) -> bool:
        """Whether all of it is usable."""
        return all(part.is_up for part in self.parts)


def observe_status(sandbox: Sandbox, config: Config) -> Status:
    """Return the status of the resources, the tasks, and the address of the service."""
    state = load_state(sandbox.layout.state_file)
    parts = [part for each in _resources(sandbox) if (part := each.status(state)) is not None]
    url = service_url(account_names(config), state.port) if state is not None else None
    containers = own_containers(sandbox.docker, sandbox.layout)
    tasks = [_task(each) for each in containers if each.is_task]
    return Status(tuple(parts), tuple(sorted(tasks, key=lambda task: task.task_id)), url)


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
    """A line, and the name of the resource that wrote it."""

    source: str
    text: str


def read_logs(sandbox: Sandbox, lines: int) -> list[LogLine]:
    """Return the last `lines` lines of each resource; empty where there is no sandbox."""
    return [LogLine(each.name, text) for each in _resources(sandbox) for text in each.logs(lines)]


def follow_logs(sandbox: Sandbox) -> Iterator[LogLine]:
    """Yield the lines that are written from now on, until the emulator has ended."""
    if emulator.running(sandbox.layout) is None:
        return
    streams = {each.name: each.follow() for each in _resources(sandbox)}
    while True:
        for name, stream in streams.items():
            yield from (LogLine(name, text) for text in next(stream, ()))
        if emulator.running(sandbox.layout) is None:
            return
        sandbox.clock.sleep(_POLL_SECONDS)
