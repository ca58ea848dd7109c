"""The emulator's process: started in the background, watched, and ended.

It listens on two addresses and no other: loopback, for this machine, and this machine's address
on the engine's bridge, for containers.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import SchoolctlError, TimedOutError
from schoolctl.base.process_mark import ProcessMark, alive, mark, parse_mark
from schoolctl.sandbox.layout import ACCOUNT, write_private
from schoolctl.sandbox.ports import PortHolder, can_bind, environment_of, port_holder, terminate

if TYPE_CHECKING:
    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.layout import Layout, State

OWNER_VARIABLE = "SCHOOLCTL_SANDBOX_OWNER"
CONTAINERS_VARIABLE = "SCHOOLCTL_SANDBOX_CONTAINERS"
HOSTS_VARIABLE = "SCHOOLCTL_SANDBOX_HOSTS"

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
"""Measured: 1 s for two tasks; the emulator stops its containers before it ends."""
_POLL_SECONDS = 0.1
_TAIL_LINES = 12
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Place:
    """Where the emulator works.

    Attributes:
        docker_host: address of the engine's socket, `unix://...`.
        containers: the network its containers are on, such as `172.17.0.0/16`.
        region: what it takes for its own region.
    """

    docker_host: str
    containers: str
    region: str


def running(layout: Layout) -> ProcessMark | None:
    """Give the emulator's process if it runs; a recycled process number does not count."""
    try:
        process = parse_mark(layout.process_file.read_text())
    except FileNotFoundError:
        return None
    return process if process is not None and alive(process) else None


def adopt(layout: Layout, port: int) -> ProcessMark | None:
    """Find our emulator by its port where an interruption lost the note of its number."""
    holder = port_holder(port)
    if holder is None or holder.pid is None:
        return None
    if environment_of(holder.pid).get(OWNER_VARIABLE) != layout.owner:
        return None
    process = mark(holder.pid)
    if process is not None:
        write_private(layout.process_file, str(process))
    return process


def check_port_free(port: int, addresses: tuple[str, ...]) -> None:
    """Refuse a port that somebody listens on.

    Raises:
        SchoolctlError: names who does.
    """
    for address in addresses:
        if not can_bind(address, port):
            holder = port_holder(port) or PortHolder(None, "")
            raise SchoolctlError(
                f"port {port} of {address} is taken",
                why=f"{holder} listens there",
                hint=f"stop it, or choose another port: `schoolctl sandbox up --port {port + 100}`",
            )


def start(layout: Layout, state: State, place: Place) -> None:
    """Start the emulator in a session of its own and note which process it is."""
    binds = [f"--bind={address}:{state.port}" for address in ("127.0.0.1", state.bridge)]
    # Without `--workers 0` hypercorn forks, and each process would hold an account of its own.
    # `-P` keeps the user's folder out of the import path.
    command = [sys.executable, "-P", "-m", "hypercorn", "schoolctl.sandbox.asgi:app"]
    command += ["--workers=0", "--keep-alive=75", *binds]
    descriptor = os.open(layout.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        child = subprocess.Popen(
            command,
            cwd=layout.work_folder,
            env=_environment(layout, state, place),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(descriptor)
    process = mark(child.pid)
    if process is not None:
        write_private(layout.process_file, str(process))


def wait_ready(layout: Layout, state: State, clock: Clock) -> None:
    """Wait until the emulator answers.

    Raises:
        SchoolctlError: its process ended; its last lines are the why.
        TimedOutError: it does not answer in time.
    """
    deadline = clock.monotonic() + _READY_SECONDS
    while not (_listens(layout, state.port) and answers(state)):
        if running(layout) is None:
            raise SchoolctlError(
                "the emulator ended as soon as it was started",
                why="\n".join(log_tail(layout)),
                hint=f"all it wrote is in {layout.log_file}",
            )
        if clock.monotonic() >= deadline:
            raise TimedOutError(
                f"the emulator does not answer on port {state.port}"
                f" after {_READY_SECONDS:.0f} seconds",
                why="\n".join(log_tail(layout)),
                hint="`schoolctl sandbox logs`, then `schoolctl sandbox down` and up again",
            )
        clock.sleep(_POLL_SECONDS)


def _listens(layout: Layout, port: int) -> bool:
    """Tell whether it is our emulator that has the port.

    Two that start at once may both find the port free. What answers then is one of them, and the
    other's seeding would go into the wrong account.
    """
    process, holder = running(layout), port_holder(port)
    return process is not None and holder is not None and holder.pid == process.pid


def answers(state: State) -> bool:
    """Tell whether the emulator answers on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(layout: Layout, process: ProcessMark, clock: Clock) -> None:
    """End the emulator, which removes the containers of its tasks, and forget its process."""
    terminate(process, clock, patience_seconds=_STOP_SECONDS)
    layout.process_file.unlink(missing_ok=True)


def log_tail(layout: Layout, lines: int = _TAIL_LINES) -> list[str]:
    """Give the last lines the emulator wrote; empty where it wrote nothing."""
    try:
        text = layout.log_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def _environment(layout: Layout, state: State, place: Place) -> dict[str, str]:
    # Nothing else of ours: the emulator takes AWS_* for its own settings, and HOSTNAME for the
    # name of a container that it runs in.
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    hosts = ("127.0.0.1", "localhost", "::1", "host.docker.internal", state.bridge)
    return inherited | {
        "DOCKER_HOST": place.docker_host,
        "GATEWAY_PORT": str(state.port),
        "MINISTACK_HOSTNAME": layout.owner,
        "MINISTACK_REGION": place.region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_ACCESS_KEY_ID": state.access_key_id,
        "AWS_SECRET_ACCESS_KEY": state.secret_access_key,
        # Its other listener would be open to the whole network.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "S3_DATA_DIR": str(layout.work_folder / "s3"),
        "STATE_DIR": str(layout.work_folder / "state"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        OWNER_VARIABLE: layout.owner,
        HOSTS_VARIABLE: ",".join(hosts),
        CONTAINERS_VARIABLE: place.containers,
    }
