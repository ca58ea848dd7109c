"""Who reaches a sandbox: this machine and its containers, and no web page."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.sandbox.host import port_holder

if TYPE_CHECKING:
    import docker

    from tests.sandbox.engine.project import Project

# One worker: the tests share a sandbox.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("sandbox")]

_SIOCGIFADDR = 0x8915


def own_addresses() -> list[str]:
    """Give the IPv4 addresses of this machine's interfaces, and a second one of loopback."""
    addresses = ["127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            with contextlib.suppress(OSError):  # an interface without an address
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
                addresses.append(socket.inet_ntoa(answer[20:24]))
    return addresses


def connects(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=3):
        return True
    return False


@pytest.mark.parametrize("port", ["port", "database_port"])
def test_only_loopback_and_the_bridge_answer(sandbox: Project, port: str) -> None:
    state = sandbox.state()
    addresses = own_addresses()
    open_to = {address for address in addresses if connects(address, state[port])}
    assert {"127.0.0.1", state["bridge"]} <= set(addresses)
    assert open_to == {"127.0.0.1", state["bridge"]}


@pytest.mark.parametrize("port", ["port", "database_port"])
def test_nothing_listens_on_all_addresses(sandbox: Project, port: str) -> None:
    wanted = f"{sandbox.state()[port]:04X}"
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {
        fields[1].partition(":")[0]
        for fields in lines
        if fields[3] == "0A" and fields[1].endswith(f":{wanted}")
    }
    bridge = socket.inet_aton(sandbox.state()["bridge"])[::-1].hex().upper()
    assert listening == {"0100007F", bridge}


def test_the_emulator_opens_no_other_port(sandbox: Project) -> None:
    holder = port_holder(sandbox.port)
    assert holder is not None
    held = set()
    for link in Path(f"/proc/{holder.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # a file that was closed meanwhile
            held.add(str(link.readlink()))
    ports = {
        int(fields[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if f"socket:[{fields[9]}]" in held and fields[3] in {"0A", "07"}
    }
    assert ports == {sandbox.port}


def test_containers_reach_the_emulator(sandbox: Project, engine: docker.DockerClient) -> None:
    url = f"http://host.docker.internal:{sandbox.port}/_ministack/ready"
    said = engine.containers.run(
        sandbox.overlay()["image"]["build_args"]["BASE_IMAGE"],
        [
            *("python3", "-c"),
            f"import urllib.request as r; print(r.urlopen('{url}').status)",
        ],
        extra_hosts={"host.docker.internal": "host-gateway"},
        remove=True,
    )
    assert said.strip() == b"200"


def answer(sandbox: Project, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/", "Action=ListRoles&Version=2010-05-08", named)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_web_page_cannot_call_the_local_aws(sandbox: Project) -> None:
    plain = {"Content_Type": "application/x-www-form-urlencoded"}
    assert answer(sandbox, **plain) == 200
    assert answer(sandbox, **plain, Origin="http://evil.example") == 403
    assert answer(sandbox, **plain, Sec_Fetch_Site="cross-site") == 403
    assert answer(sandbox, **plain, Host=f"evil.example:{sandbox.port}") == 403
    assert answer(sandbox, **plain, Host=f"none.alb.localhost:{sandbox.port}") == 404


def test_the_load_balancer_answers_under_its_name(sandbox: Project) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    connection.request("GET", "/", headers={"Host": f"schoolapp-alb.alb.localhost:{sandbox.port}"})
    reply = connection.getresponse()
    assert (reply.status, b"No registered targets" in reply.read()) == (503, True)
