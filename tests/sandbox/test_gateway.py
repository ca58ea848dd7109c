"""The gateway before the emulator: what passes, and what no web page gets through."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.sandbox.emulator import Gateway, Policy

BALANCER = "schoolapp-alb.alb.localhost"
POLICY = Policy(
    containers=ipaddress.IPv4Network("172.17.0.0/16"),
    is_own={"127.0.0.1", "192.0.2.2"}.__contains__,
    hosts=frozenset({"127.0.0.1", "localhost", "host.docker.internal", "172.17.0.1"}),
    is_balancer={BALANCER, "schoolapp-alb-0a1b2c3d.us-east-1.elb.amazonaws.com"}.__contains__,
)


def status(peer: str = "127.0.0.1", path: str = "/", query: str = "", **headers: str) -> int | None:
    """Judge a request whose header names have `_` for `-`; None when it passes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = POLICY.judge(peer, path, query, {"host": "127.0.0.1:4566", **named})
    return None if refusal is None else refusal.status


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "127.0.0.1:4566"),
        ("127.0.0.1", "localhost:4566"),
        ("127.0.0.1", "LOCALHOST"),
        ("127.0.0.1", "bucket.s3.localhost:4566"),
        ("192.0.2.2", "172.17.0.1:4566"),
        ("172.17.0.9", "host.docker.internal:4566"),
        ("172.17.0.9", "172.17.0.1:4566"),
    ],
)
def test_tools_and_containers_pass(peer: str, host: str) -> None:
    assert status(peer, host=host) is None


@pytest.mark.parametrize(
    "peer", ["192.0.2.3", "172.18.0.2", "10.0.0.1", "8.8.8.8", "::ffff:1.2.3.4"]
)
def test_another_machine_is_refused(peer: str) -> None:
    assert status(peer) == 403


@given(address=st.ip_addresses(v=4))
def test_only_own_and_container_addresses_pass(address: ipaddress.IPv4Address) -> None:
    ours = address in POLICY.containers or POLICY.is_own(str(address))
    assert (status(str(address)) is None) == ours


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "", "localhost.evil.example"],
)
def test_a_name_that_can_be_pointed_anywhere_is_refused(host: str) -> None:
    assert status(host=host) == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null"])
def test_a_web_page_is_refused(origin: str) -> None:
    assert status(origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_or_form_of_a_web_page_is_refused(site: str) -> None:
    assert status(sec_fetch_site=site) == 403


def test_an_address_typed_into_a_browser_passes() -> None:
    assert status(path="/_ministack/health", sec_fetch_site="none") is None


@pytest.mark.parametrize(
    "host", [BALANCER, f"{BALANCER}:4566", "schoolapp-alb-0a1b2c3d.us-east-1.elb.amazonaws.com"]
)
def test_the_form_behind_the_load_balancer_takes_posts_of_pages(host: str) -> None:
    assert status(host=host, origin="http://elsewhere.example", sec_fetch_site="cross-site") is None


def test_an_unknown_load_balancer_is_not_taken_for_the_api() -> None:
    assert status(host="gone.alb.localhost:4566") == 404


@pytest.mark.parametrize(
    "path",
    ["/_ministack/reset", "/_localstack/health", "/_alb/x/", "/v2/x/manifests/1", "/iceberg"],
)
def test_the_name_of_a_load_balancer_opens_no_path_of_the_emulator(path: str) -> None:
    assert status(path=path, host=BALANCER) == 403


@pytest.mark.parametrize("name", ["X-Amz-Credential", "x-amz-cred%65ntial", "AWSAccessKeyId"])
def test_the_name_of_a_load_balancer_opens_no_other_account(name: str) -> None:
    assert status(host=BALANCER, query=f"a=1&{name}=111111111111/20260101/us-east-1/s3") == 403


def call(scope: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Send one connection through a gateway; gives its answers, and what reached the emulator."""
    sent: list[dict[str, Any]] = []
    reached: list[str] = []

    async def emulator(scope: Any, receive: Any, send: Any) -> None:
        del receive, send
        reached.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> dict[str, Any]:
        raise AssertionError("the gateway reads no body")

    asyncio.run(Gateway(emulator, POLICY)(scope, receive, send))
    return sent, reached


def scope(kind: str, *headers: tuple[bytes, bytes], peer: str = "127.0.0.1") -> dict[str, Any]:
    return {"type": kind, "path": "/", "query_string": b"", "client": (peer, 1), "headers": headers}


def test_what_passes_reaches_the_emulator_unchanged() -> None:
    assert call(scope("http", (b"Host", b"127.0.0.1:4566"))) == ([], ["http"])


def test_start_and_end_of_the_server_reach_the_emulator() -> None:
    assert call({"type": "lifespan"}) == ([], ["lifespan"])


def test_a_refused_request_is_answered_and_goes_no_further() -> None:
    sent, reached = call(
        scope("http", (b"host", b"127.0.0.1"), (b"Origin", b"http://evil.example"))
    )
    assert reached == []
    assert sent[0]["status"] == 403
    assert json.loads(sent[1]["body"]) == {
        "message": "the local AWS takes no requests from web pages"
    }


def test_a_refused_web_socket_is_closed() -> None:
    sent, reached = call(scope("websocket", (b"host", b"127.0.0.1"), (b"origin", b"null")))
    assert reached == []
    assert sent[0]["type"] == "websocket.close"


def test_the_name_of_http_2_counts_as_host() -> None:
    sent, reached = call(scope("http", (b":authority", b"evil.example")))
    assert (sent[0]["status"], reached) == (403, [])


def test_a_request_without_a_sender_is_refused() -> None:
    nobody = scope("http", (b"host", b"127.0.0.1"))
    nobody["client"] = None
    assert call(nobody)[1] == []
