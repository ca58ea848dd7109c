"""Who may talk to the emulator: this machine and its containers, and no web page.

The emulator asks nobody for credentials, can start privileged containers, and answers every web
page with `Access-Control-Allow-Origin: *`. A page open in the user's browser could so become root
on this machine. `Gateway` stands before it and lets through only what no page can send: requests
from an address of our own or of a container, for a host name that cannot be re-pointed, and
without the headers that a browser adds. What goes to a load balancer is the application's
business, and passes.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

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
    """What the gateway lets through.

    Attributes:
        containers: the network that the containers' requests come from.
        is_own: tells whether an address is one of this machine's.
        hosts: names and addresses under which the emulator is called, without port.
        is_balancer: tells whether a load balancer has this DNS name.
    """

    containers: ipaddress.IPv4Network
    is_own: Callable[[str], bool]
    hosts: frozenset[str]
    is_balancer: Callable[[str], bool]

    def judge(self, peer: str, path: str, query: str, headers: Mapping[str, str]) -> Refusal | None:
        """Give the reason to refuse a request, or None.

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
    """An ASGI application that hands to `app` what `policy` lets through."""

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
