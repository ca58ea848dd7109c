"""What the sandbox asks of the Docker engine: its bridge, and what carries our labels."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.errors import APIError, DockerException, NotFound

from schoolctl.errors import EngineError
from schoolctl.sandbox.layout import LABEL

if TYPE_CHECKING:
    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.sandbox.layout import Layout

_TASK_LABEL = "ministack.instance"
"""The emulator's label on the containers of its tasks: `<owner>:<port>`."""


@dataclass(frozen=True)
class Bridge:
    """The engine's default bridge.

    Attributes:
        address: this machine's address on it; published to containers as the host gateway.
        subnet: the containers' addresses, such as `172.17.0.0/16`.
        architecture: the engine's, as an image's platform names it: `amd64`, `arm64`.
    """

    address: str
    subnet: str
    architecture: str


def check_local_engine(host: str) -> None:
    """Refuse an engine that is not reached by a socket of this machine.

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


def own_containers(docker: DockerClient, layout: Layout) -> list[Container]:
    """Give the containers this sandbox made, running or not: the database's and those of tasks."""
    database = docker.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{LABEL}={layout.identity}"}
    )
    labelled = docker.containers.list(all=True, ignore_removed=True, filters={"label": _TASK_LABEL})
    owned = (each for each in labelled if _task_owner(each) == layout.owner)
    return [*database, *owned]


def task_containers(docker: DockerClient, layout: Layout) -> list[Container]:
    """Give the containers of this sandbox's tasks, running or not."""
    return [each for each in own_containers(docker, layout) if LABEL not in each.labels]


def remove_containers(containers: list[Container]) -> None:
    """Remove containers with their anonymous volumes; one that has gone is fine."""
    for container in containers:
        try:
            container.remove(force=True, v=True)
        except NotFound:
            continue
        except APIError as error:
            # The emulator is removing it at this moment.
            if "already in progress" not in str(error):
                raise


def _task_owner(container: Container) -> str:
    return str(container.labels.get(_TASK_LABEL, "")).rpartition(":")[0]
