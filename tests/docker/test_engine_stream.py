"""What an engine tells of a push in its stream, line by line, and what becomes of it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.connect import connect_engine
from schoolctl.model.images import RegistryLogin, RepositoryUri
from schoolctl.model.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.docker.engine import PushResult

REPOSITORY = RepositoryUri("127.0.0.1:9", "shop")
DIGEST = f"sha256:{'a' * 64}"
PUSHED: tuple[dict[str, Any], ...] = (
    {"status": "The push refers to repository [127.0.0.1:9/shop]"},
    {"status": "Layer already exists", "progressDetail": {}, "id": "aaaaaaaaaaaa"},
    {"status": "Pushing", "progressDetail": {"current": 5, "total": 9}, "id": "bbbbbbbbbbbb"},
    {"status": "Pushed", "progressDetail": {}, "id": "bbbbbbbbbbbb"},
)
DONE = {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 9}}


class Daemon(ThreadingHTTPServer):
    """An engine that knows its version, and pushes as a test has written."""

    daemon_threads = True
    lines: tuple[dict[str, Any], ...] = ()
    cut = False
    """Whether the connection breaks where the stream would end."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Daemon

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer /version."""
        body = json.dumps({"ApiVersion": "1.41", "Version": "20.10.24"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer a push."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in self.server.lines:
            piece = json.dumps(line).encode() + b"\r\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if not self.server.cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    server = Daemon(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def push(daemon: Daemon, *lines: dict[str, Any]) -> PushResult:
    daemon.lines = lines
    engine = connect_engine({"DOCKER_HOST": f"tcp://127.0.0.1:{daemon.server_address[1]}"})
    login = RegistryLogin(REPOSITORY.registry, "AWS", SecretValue("x"), datetime.now(UTC))
    return engine.push(REPOSITORY.tagged("1"), login, lambda *_: None)


def test_a_push_that_names_its_digest_is_one(daemon: Daemon) -> None:
    result = push(daemon, *PUSHED, DONE)
    assert (str(result.digest), result.sent) == (DIGEST, ("bbbbbbbbbbbb",))


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "docker system df"),
        ("no basic auth credentials", "schoolctl login"),
        ("denied: requested access to the resource is denied", "one account and one region"),
        ("tag does not exist: 127.0.0.1:9/shop:1", "schoolctl build"),
        ("unexpected EOF", "cannot reach the registry"),
    ],
)
@pytest.mark.parametrize("behind", [(), (DONE,)], ids=["at the end", "before a digest"])
def test_a_line_with_an_error_fails_the_push(
    daemon: Daemon, said: str, cure: str, behind: tuple[dict[str, Any], ...]
) -> None:
    with pytest.raises(EngineError, match="could not push") as raised:
        push(daemon, *PUSHED, {"errorDetail": {"message": said}, "error": said}, *behind)
    assert raised.value.why == said
    assert cure in raised.value.hint


def test_a_stream_that_ends_without_a_digest_is_an_error(daemon: Daemon) -> None:
    with pytest.raises(EngineError) as raised:
        push(daemon, *PUSHED)
    assert "without naming a digest" in raised.value.why


def test_a_stream_that_is_cut_off_is_an_error(daemon: Daemon) -> None:
    daemon.cut = True
    with pytest.raises(EngineError):
        push(daemon, *PUSHED)
