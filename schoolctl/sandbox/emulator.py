"""The emulator: its background process, and the gateway that guards its port.

The process listens on two addresses: loopback, for this machine, and this machine's address on
the engine's bridge, for containers.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from schoolctl.base.errors import SchoolctlError, TimedOutError
from schoolctl.base.process_mark import ProcessMark, alive, mark, parse_mark
from schoolctl.sandbox.host import PortHolder, can_bind, environment_of, port_holder, terminate
from schoolctl.sandbox.resources import Part, Resource, write_private

if TYPE_CHECKING:
    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.resources import Layout, Setup, State


ACCOUNT = "000000000000"
OWNER_VARIABLE = "SCHOOLCTL_SANDBOX_OWNER"
CONTAINERS_VARIABLE = "SCHOOLCTL_SANDBOX_CONTAINERS"
HOSTS_VARIABLE = "SCHOOLCTL_SANDBOX_HOSTS"

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
"""Measured: 1 s for two tasks; the emulator stops its containers before it ends."""
_POLL_SECONDS = 0.1
_TAIL_LINES = 12
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class Emulator(Resource):
    """The emulator's process, which removes the containers of its tasks when it ends."""

    name = "emulator"
    overlay_keys: ClassVar[Mapping[str, object]] = {
        "region": None,
        "account": None,
        "endpoint_url": None,
        "registry": None,
        "credentials": None,
        "task": {"environment": {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}},
    }

    def start(self, setup: Setup) -> None:
        """Start the process, unless it runs."""
        layout, state = self.sandbox.layout, setup.state
        if running(layout) or adopt(layout, state.port):
            return
        check_port_free(state.port, ("127.0.0.1", state.bridge))
        shutil.rmtree(layout.work_folder)
        layout.prepare()
        self.sandbox.tell(f"starting the emulator on port {state.port}")
        start(layout, state, Place(self.sandbox.docker_host, setup.bridge.subnet, setup.region))
        setup.new_account = True
        setup.changes.append(f"emulator on port {state.port}")

    def wait(self, setup: Setup) -> None:
        """Wait until the emulator answers."""
        wait_ready(self.sandbox.layout, setup.state, self.sandbox.clock)

    def settings(self, setup: Setup) -> dict[str, object]:
        """Return the region, the account, the addresses and the keys."""
        state = setup.state
        return {
            "region": setup.region,
            "account": ACCOUNT,
            "endpoint_url": state.endpoint,
            "registry": f"127.0.0.1:{state.port}",
            "credentials": {
                "access_key_id": state.access_key_id,
                "secret_access_key": state.secret_access_key,
            },
            # In a task boto3 refuses the emulator's address for a role's credentials (it is
            # neither loopback nor a link-local one), so the keys are plain variables. They are
            # worth nothing.
            "task": {
                "environment": {
                    "AWS_ACCESS_KEY_ID": state.access_key_id,
                    "AWS_SECRET_ACCESS_KEY": state.secret_access_key,
                }
            },
        }

    def status(self, state: State | None) -> Part:
        """Return whether the process runs and answers."""
        log = str(self.sandbox.layout.log_file)
        if state is None:
            return Part(self.name, "not there", None, log)
        if running(self.sandbox.layout) is None:
            return Part(self.name, "stopped", state.endpoint, log)
        answer = "up" if answers(state) else "does not answer"
        return Part(self.name, answer, state.endpoint, log)

    def logs(self, lines: int) -> list[str]:
        """Return the last `lines` lines of the log."""
        return log_tail(self.sandbox.layout, lines)

    def follow(self) -> Iterator[list[str]]:
        """Yield, at each step, the lines written since the step before."""
        with self.sandbox.layout.log_file.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            rest = b""
            while True:
                *complete, rest = (rest + stream.read()).split(b"\n")
                yield [each.decode(errors="replace") for each in complete]

    def stop(self, state: State | None) -> list[str]:
        """End the process and those it started."""
        layout = self.sandbox.layout
        process = running(layout)
        if process is None and state is not None:
            process = adopt(layout, state.port)
        if process is None:
            return []
        self.sandbox.tell("stopping the emulator and its tasks")
        stop(layout, process, self.sandbox.clock)
        return [f"emulator (process {process.pid})"]


@dataclass(frozen=True)
class Place:
    """Surroundings of the emulator's process.

    Attributes:
        docker_host: address of the engine's socket, `unix://...`.
        containers: the network its containers are on, such as `172.17.0.0/16`.
        region: its own region.
    """

    docker_host: str
    containers: str
    region: str


def running(layout: Layout) -> ProcessMark | None:
    """Return the emulator's process if it runs; a recycled process number does not count."""
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
    """Check that nobody listens on a port.

    Raises:
        SchoolctlError: names the process that does.
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
    """Return whether the port is held by this sandbox's emulator.

    Two that start at once may both find the port free. What answers then is one of them, and the
    other's seeding would go into the wrong account.
    """
    process, holder = running(layout), port_holder(port)
    return process is not None and holder is not None and holder.pid == process.pid


def answers(state: State) -> bool:
    """Return whether the emulator answers on loopback."""
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
    """Return the last lines the emulator wrote; empty where it wrote nothing."""
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


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BALANCER_NAMES = (".alb.localhost", ".elb.amazonaws.com")
_EMULATOR_PATHS = ("/_ministack", "/_localstack", "/_alb", "/v2/", "/iceberg")
"""Paths that the emulator answers itself before it looks for a load balancer."""
_SIGNED_QUERY = ("x-amz-credential", "awsaccesskeyid")
"""Query arguments by which the emulator would pick another account, without the load balancer."""
_OWN_PAGE = {"none", "same-origin"}
"""What a browser says in Sec-Fetch-Site of an address that was typed, and of a page of its own."""


@dataclass(frozen=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    reason: str


@dataclass(frozen=True)
class Policy:
    """The rules of the gateway.

    Attributes:
        containers: the network that the containers' requests come from.
        is_own: whether an address is one of this machine's.
        hosts: names and addresses under which the emulator is called, without port.
        is_balancer: whether a load balancer has this DNS name.
    """

    containers: ipaddress.IPv4Network
    is_own: Callable[[str], bool]
    hosts: frozenset[str]
    is_balancer: Callable[[str], bool]

    def judge(self, peer: str, path: str, query: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return the reason to refuse a request, or None.

        Args:
            peer: the address the connection comes from.
            path: the request's path.
            query: what follows the `?`, as it was sent.
            headers: its headers, by lower-case name.
        """
        if ipaddress.ip_address(peer) not in self.containers and not self.is_own(peer):
            return Refusal(403, f"{peer} is neither this machine nor one of its containers")
        host = _without_port(headers.get("host", ""))
        if host.endswith(_BALANCER_NAMES):
            return self._judge_balancer(host, path, query)
        if host not in self.hosts and not host.endswith(".localhost"):
            return Refusal(403, f"the local AWS does not answer to the name {host or '(none)'}")
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in _OWN_PAGE:
            return Refusal(403, "the local AWS takes no requests from web pages")
        return None

    def _judge_balancer(self, host: str, path: str, query: str) -> Refusal | None:
        if not self.is_balancer(host):
            # The emulator would take it for a call of its own API.
            return Refusal(404, f"no load balancer has the name {host}")
        if path.startswith(_EMULATOR_PATHS):
            return Refusal(403, f"{path} belongs to the emulator, not to the load balancer")
        if any(name in unquote(query).lower() for name in _SIGNED_QUERY):
            return Refusal(403, "a signed address belongs to the emulator, not to the balancer")
        return None


class Gateway:
    """An ASGI application that hands to `app` what `policy` lets through.

    The emulator asks nobody for credentials, can start privileged containers, and answers every
    web page with `Access-Control-Allow-Origin: *`. A page open in the user's browser could so
    become root on this machine. The gateway stands before it and lets through only what no page
    can send: requests from an address of our own or of a container, for a host name that cannot
    be re-pointed, and without the headers that a browser adds. What goes to a load balancer is
    the application's business, and passes.
    """

    def __init__(self, app: App, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(send, refusal)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})

    def _refusal(self, scope: Scope) -> Refusal | None:
        client = scope.get("client")
        headers = _headers(scope["headers"])
        if not client:
            return Refusal(403, "a request without a sender")
        query = scope.get("query_string", b"").decode("latin-1")
        return self._policy.judge(client[0], scope["path"], query, headers)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        # HTTP/2 has `:authority` for Host; with two of a kind the first counts, as in the emulator.
        headers.setdefault("host" if key == ":authority" else key, value.decode("latin-1"))
    return headers


def _without_port(host: str) -> str:
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"message": refusal.reason}).encode() + b"\n"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
