"""The machine a sandbox runs on: its TCP ports, its processes and its Docker engine."""

from __future__ import annotations

import ipaddress
import os
import queue
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError, DockerException, NotFound

from schoolctl.base.errors import EngineError, SchoolctlError
from schoolctl.base.process_mark import alive
from schoolctl.sandbox.resources import LABEL, Bridge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.base.process_mark import ProcessMark
    from schoolctl.sandbox.resources import Layout


_PROC = Path("/proc")
_LISTEN = "0A"
_COMMAND_WIDTH = 120


@dataclass(frozen=True)
class PortHolder:
    """The process that listens on a port; `pid` is None where the kernel does not show it."""

    pid: int | None
    command: str

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})" if self.pid else "a process of another user"


def can_bind(address: str, port: int) -> bool:
    """Return whether a server could listen on `port` of `address`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that lingers from before is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose_port(addresses: tuple[str, ...], ports: range, what: str, *, above: int = 0) -> int:
    """Return the first of `ports` over `above` that is free on all `addresses`.

    Raises:
        SchoolctlError: none is free for `what`.
    """
    for port in ports:
        if port > above and all(can_bind(address, port) for address in addresses):
            return port
    raise SchoolctlError(
        f"no port between {ports[0]} and {ports[-1]} is free for {what}",
        hint="`ss -ltnp` shows who listens where",
    )


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
    """Return the environment `pid` was started with; empty where we may not read it."""
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


_AT_ONCE = 8
_TASK_LABEL = "ministack.instance"
"""The emulator's label on the containers of its tasks: `<owner>:<port>`."""


def check_local_engine(host: str) -> None:
    """Check that the engine is reached by a socket of this machine.

    Raises:
        EngineError: its containers would run elsewhere.
    """
    if host.startswith("unix://"):
        return
    raise EngineError(
        "the sandbox needs a Docker engine on this very machine",
        why=f"the engine in use is {host}",
        hint="unset DOCKER_HOST, or `docker context use default`",
    )


def observe_bridge(docker: DockerClient) -> Bridge:
    """Read the bridge's addresses.

    Raises:
        EngineError: there is no engine, or it runs on another machine than this one, where
            containers and this process could not reach each other.
    """
    try:
        network = docker.networks.get("bridge").attrs
        architecture = str(docker.version()["Arch"])
    except DockerException as error:
        raise EngineError(
            "the Docker engine does not answer", why=str(error), hint="try `docker version`"
        ) from error
    pools = network["IPAM"]["Config"] or []
    # A bridge made by default has no gateway in its description: it is the first address.
    for pool in pools:
        subnet = ipaddress.ip_network(pool["Subnet"])
        if isinstance(subnet, ipaddress.IPv4Network):
            address = str(pool.get("Gateway") or next(subnet.hosts()))
            _check_local(address)
            return Bridge(address, str(subnet), architecture)
    raise EngineError("the Docker engine has no bridge network", why=str(network["IPAM"]))


def _check_local(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise EngineError(
                "the Docker engine's containers are not on a network of this machine",
                why=f"its bridge has the address {address}, which is not ours ({error.strerror})",
                hint="the sandbox needs a Docker engine on this very machine (Linux), not"
                " Docker Desktop's, a rootless or a remote one",
            ) from error


@dataclass(frozen=True)
class OwnContainer:
    """A container that a sandbox made.

    Attributes:
        state: in the engine's words, such as `running` or `exited`.
    """

    container_id: str
    name: str
    state: str
    labels: Mapping[str, str]

    @property
    def is_task(self) -> bool:
        """Whether the emulator made it for a task."""
        return _TASK_LABEL in self.labels


def own_containers(docker: DockerClient, layout: Layout) -> list[OwnContainer]:
    """Return the containers of this sandbox, running or not: the database and the tasks."""
    labelled = [*_list_containers(docker, LABEL), *_list_containers(docker, _TASK_LABEL)]
    return [
        each
        for each in labelled
        if each.labels.get(LABEL) == layout.identity
        or each.labels.get(_TASK_LABEL, "").rpartition(":")[0] == layout.owner
    ]


def has_neighbours(docker: DockerClient, layout: Layout) -> bool:
    """Return whether this engine has another sandbox than `layout`."""
    found = _list_containers(docker, LABEL)
    return any(each.labels[LABEL] != layout.identity for each in found)


def remove_containers(docker: DockerClient, containers: Sequence[OwnContainer]) -> None:
    """Remove containers with their anonymous volumes; one that has gone is fine.

    Side by side: a service that crashed all day leaves hundreds, of a tenth of a second each.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for done in [pool.submit(_remove, docker, each.container_id) for each in containers]:
            done.result()


def _remove(docker: DockerClient, container_id: str) -> None:
    try:
        docker.api.remove_container(container_id, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        # The emulator is removing it at this moment.
        if "already in progress" not in str(error):
            raise EngineError(
                f"container {container_id[:12]} cannot be removed", why=str(error)
            ) from error


def _list_containers(docker: DockerClient, label: str) -> Iterator[OwnContainer]:
    # The plain list has all we need; the SDK's would ask for each container by itself.
    for found in docker.api.containers(all=True, filters={"label": label}):
        names = [name.lstrip("/") for name in found.get("Names") or []]
        yield OwnContainer(
            container_id=found["Id"],
            name=names[0] if names else found["Id"][:12],
            state=found["State"],
            labels=found["Labels"] or {},
        )


class PortTakenError(EngineError):
    """The port of a container was taken before the container was started."""


def find_container(docker: DockerClient, name: str) -> Container | None:
    """Return the container `name`, running or not; None where there is none."""
    try:
        return docker.containers.get(name)
    except NotFound:
        return None


def start_container(container: Container, what: str) -> None:
    """Start the container of `what`.

    Raises:
        PortTakenError: its port is taken, maybe by a sandbox that is brought up at this moment.
        EngineError: the engine could not, in its words.
    """
    try:
        container.start()
    except APIError as error:
        why = str(error.explanation or error)
        taken = any(words in why for words in ("already allocated", "already in use"))
        raise (PortTakenError if taken else EngineError)(
            f"{what}'s container does not start",
            why=why,
            hint="`schoolctl sandbox down`, then up again",
        ) from error


def check_reachable(container: Container, address: str, port: int, what: str) -> None:
    """Check that `container` reaches `what` on `port` of this machine.

    Raises:
        EngineError: it does not, mostly because of a firewall.
    """
    script = f"exec 3<>/dev/tcp/{address}/{port}"
    code, _ = container.exec_run(["timeout", "5", "bash", "-c", script])
    if code != 0:
        raise EngineError(
            f"containers do not reach {what} at {address}:{port}",
            why="this machine does, so something between drops it: mostly a firewall",
            hint="let containers in, such as with `ufw allow in on docker0`",
        )


def container_log(container: Container, lines: int) -> list[str]:
    """Return the last `lines` lines that a container wrote."""
    return bytes(container.logs(tail=lines)).decode(errors="replace").splitlines()


def follow_container(container: Container) -> Iterator[list[str]]:
    """Yield, at each step, the lines that a container wrote since the step before."""
    news: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_collect_lines, args=(container, news), daemon=True).start()
    while True:
        yield [news.get() for _ in range(news.qsize())]


def _collect_lines(container: Container, news: queue.SimpleQueue[str]) -> None:
    rest = b""
    try:
        for chunk in container.logs(stream=True, follow=True, tail=0):
            *complete, rest = (rest + chunk).split(b"\n")
            for line in complete:
                news.put(line.decode(errors="replace"))
    except DockerException:
        return


def remove_volume(docker: DockerClient, name: str) -> bool:
    """Remove a volume; returns whether there was one."""
    try:
        docker.volumes.get(name).remove(force=True)
    except NotFound:
        return False
    return True
