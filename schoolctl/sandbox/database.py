"""The MariaDB container: TLS only, reachable from this machine and its containers only."""

from __future__ import annotations

import io
import tarfile
from importlib import resources
from typing import TYPE_CHECKING

import pymysql
from docker.errors import APIError, NotFound
from docker.types import LogConfig

from schoolctl.base.errors import EngineError, SchoolctlError, TimedOutError
from schoolctl.sandbox.layout import LABEL
from schoolctl.sandbox.ports import can_bind

if TYPE_CHECKING:
    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.layout import Layout
    from schoolctl.sandbox.state import State
    from schoolctl.sandbox.tls import Certificates

_PORT = "3306/tcp"
_FIRST_PORT = 13306
_LAST_PORT = 13999
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.1
_LOGIN_SECONDS = 5
_ACCESS_DENIED = 1045
_LOG_LINES = 12


def container_name(layout: Layout) -> str:
    """Name of the database's container, and of the volume with its data."""
    return f"{layout.owner}-db"


def names(layout: Layout, bridge_address: str) -> tuple[str, ...]:
    """Give what clients may call the server, and so what its certificate has to say."""
    return (
        "localhost",
        "host.docker.internal",
        container_name(layout),
        "127.0.0.1",
        bridge_address,
    )


class PortTakenError(EngineError):
    """Somebody took the database's port before its container was started."""


def choose_port(addresses: tuple[str, ...], *, above: int = _FIRST_PORT - 1) -> int:
    """Find a port over `above` that is free on all `addresses`.

    Raises:
        SchoolctlError: there is none.
    """
    for port in range(above + 1, _LAST_PORT + 1):
        if all(can_bind(address, port) for address in addresses):
            return port
    raise SchoolctlError(
        f"no port between {_FIRST_PORT} and {_LAST_PORT} is free for the database",
        hint="`ss -ltnp` shows who listens where",
    )


def find(docker: DockerClient, layout: Layout) -> Container | None:
    """Give the database's container, running or not."""
    try:
        return docker.containers.get(container_name(layout))
    except NotFound:
        return None


def fits(container: Container, state: State, image_id: str, certificates: Certificates) -> bool:
    """Tell whether `container` is what `create` would make now."""
    expected = _labels_for(state, image_id, certificates)
    return all(container.labels.get(name) == value for name, value in expected.items())


def create(
    docker: DockerClient, layout: Layout, state: State, image_id: str, certificates: Certificates
) -> Container:
    """Make the container, not yet started, over the volume with the data.

    Files go in by copy: secrets are then neither in its environment nor among its arguments,
    and no folder of this machine is mounted.
    """
    docker.volumes.create(container_name(layout), labels={LABEL: layout.identity})
    container = docker.containers.create(
        image_id,
        entrypoint=["sh", "/schoolctl/entry.sh"],
        command=[],
        name=container_name(layout),
        labels={LABEL: layout.identity, **_labels_for(state, image_id, certificates)},
        ports={
            _PORT: [  # the stubs know a list of ports, not one of addresses with ports
                ("127.0.0.1", state.database_port),  # type: ignore[list-item]
                (state.bridge, state.database_port),  # type: ignore[list-item]
            ]
        },
        volumes={container_name(layout): {"bind": "/var/lib/mysql", "mode": "rw"}},
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "5m"}),
    )
    container.put_archive("/", _files(state, certificates))
    return container


def launch(container: Container) -> None:
    """Start the container.

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
            "the database's container does not start",
            why=why,
            hint="`schoolctl sandbox down`, then up again",
        ) from error


def wait_ready(container: Container, layout: Layout, state: State, clock: Clock) -> None:
    """Wait until the database takes a login over verified TLS.

    Raises:
        SchoolctlError: the container ended; its last lines are the why.
        TimedOutError: it takes no login in time.
    """
    deadline = clock.monotonic() + _READY_SECONDS
    while (reason := login_failure(layout, state)) is not None:
        container.reload()
        if container.status not in {"running", "created"}:
            raise SchoolctlError(
                "the database's container ended",
                why=log_tail(container),
                hint="`schoolctl sandbox down`, then up again",
            )
        if clock.monotonic() >= deadline:
            raise TimedOutError(
                f"the database takes no login after {_READY_SECONDS:.0f} seconds",
                why=f"{reason}\n{log_tail(container)}",
                hint="`schoolctl sandbox logs`, then `schoolctl sandbox down` and up again",
            )
        clock.sleep(_POLL_SECONDS)


def login_failure(layout: Layout, state: State) -> str | None:
    """Log in as the application does, verifying the certificate; None when that works.

    A refused password counts as working: the server has proved who it is by then, and somebody
    may have rotated the password, which is a thing to try in a sandbox.
    """
    try:
        pymysql.connect(
            host=state.bridge,
            port=state.database_port,
            user=state.database_user,
            password=state.database_password,
            database=state.database_name,
            ssl_ca=str(layout.tls_folder / "ca.pem"),
            ssl_verify_cert=True,
            ssl_verify_identity=True,
            connect_timeout=_LOGIN_SECONDS,
            read_timeout=_LOGIN_SECONDS,
        ).close()
    except pymysql.err.MySQLError as error:
        return None if error.args[0] == _ACCESS_DENIED else str(error)
    return None


def container_reaches(container: Container, address: str, port: int) -> bool:
    """Tell whether a container gets through to `port` of this machine: firewalls forget them."""
    script = f"exec 3<>/dev/tcp/{address}/{port}"
    code, _ = container.exec_run(["timeout", "5", "bash", "-c", script])
    return code == 0


def log_tail(container: Container) -> str:
    """Give the last lines that the database wrote."""
    return bytes(container.logs(tail=_LOG_LINES)).decode(errors="replace").strip()


def remove_volume(docker: DockerClient, layout: Layout) -> bool:
    """Remove the data; tells whether there was any."""
    try:
        docker.volumes.get(container_name(layout)).remove(force=True)
    except NotFound:
        return False
    return True


def _labels_for(state: State, image_id: str, certificates: Certificates) -> dict[str, str]:
    return {
        f"{LABEL}.image": image_id,
        f"{LABEL}.address": f"{state.bridge}:{state.database_port}",
        f"{LABEL}.certificate": str(certificates.serial),
    }


def _files(state: State, certificates: Certificates) -> bytes:
    entry = resources.files("schoolctl.sandbox") / "files" / "mariadb-entry.sh"
    texts = {
        "entry.sh": entry.read_text(encoding="utf-8"),
        "server.pem": certificates.server,
        "server.key": certificates.key,
        "init.sql": _init_sql(state),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        folder = tarfile.TarInfo("schoolctl")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, text in texts.items():
            data = text.encode()
            member = tarfile.TarInfo(f"schoolctl/{name}")
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def _init_sql(state: State) -> str:
    # It runs at every start, so it must not undo a password that was rotated since. One statement
    # a line: MariaDB's init file takes no others. Names and password are letters, digits and _.
    database, user = f"`{state.database_name}`", f"'{state.database_user}'@'%'"
    return "\n".join(
        (
            f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4;",
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{state.database_password}';",
            f"GRANT ALL ON {database}.* TO {user};",
            "",
        )
    )
