"""The service under its real server, on SQLite: slow clients, broken requests, stopping."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from service.body import BODY_DEADLINE_SECONDS, MAX_BODY_BYTES
from tests.service.conftest import ADA
from tests.service.server import Server, launch, migrated_sqlite, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("service-process")

NUMBERS = itertools.count(100)


def someone() -> bytes:
    """Give the body of a registration that no other test sends, always of the same length."""
    return json.dumps({**ADA, "email": f"someone{next(NUMBERS)}@example.com"}).encode()


HEAD = (
    b"POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(someone())
)
CHUNKED = HEAD[: HEAD.index(b"Content-Length")] + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server that the tests of this file share, so they must not stop it."""
    folder = tmp_path_factory.mktemp("shared")
    with run_server(migrated_sqlite(folder), folder) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """Give a server to one test alone; it has one worker."""
    with run_server({**migrated_sqlite(tmp_path), "WEB_CONCURRENCY": "1"}, tmp_path) as running:
        yield running


def connect(server: Server, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(data)
    return connection


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read one answer of a known length; gives its status and body."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, stream.read(length)


def test_slow_and_silent_clients_do_not_stop_the_service(server: Server) -> None:
    stalled = [connect(server, HEAD + someone()[:10]) for _ in range(50)]
    stalled += [connect(server, HEAD[:40]) for _ in range(50)]
    stalled += [connect(server) for _ in range(50)]
    slowest = 0.0
    for number in range(10):
        started = time.monotonic()
        assert server.health().status_code == 200
        answer = server.register({**ADA, "email": f"ada{number}@example.com"})
        assert answer.status_code == 201
        slowest = max(slowest, time.monotonic() - started)
    for each in stalled:
        each.close()
    assert slowest < BODY_DEADLINE_SECONDS - 1  # when the stalled ones make room


def test_a_dripping_body_is_ended_at_the_deadline(server: Server) -> None:
    connection = connect(server, HEAD)
    connection.settimeout(0.3)
    started = time.monotonic()
    for byte in someone():
        connection.sendall(bytes([byte]))
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
    connection.settimeout(10)
    status, body = read_answer(connection)
    assert status == 408
    assert json.loads(body)["error"]["code"] == "body_timeout"
    assert time.monotonic() - started < BODY_DEADLINE_SECONDS + 10  # all of it would take 40 s
    assert connection.recv(1) == b""


def test_a_chunked_body_is_read(server: Server) -> None:
    body = someone()
    data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert read_answer(connect(server, CHUNKED + data))[0] == 201


def test_a_chunked_body_above_the_limit_is_refused_as_too_large(server: Server) -> None:
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    data = chunk * (MAX_BODY_BYTES // 1024 + 1) + b"0\r\n\r\n"
    status, body = read_answer(connect(server, CHUNKED + data))
    assert status == 413
    assert json.loads(body)["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"x" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (HEAD.replace(b"Content-Length: ", b"Content-Length: -"), 400),
        (CHUNKED + b"zz\r\n", 400),
    ],
)
def test_a_malformed_request_is_refused_in_json(
    server: Server, request_bytes: bytes, status: int
) -> None:
    connection = connect(server, request_bytes)
    answered, body = read_answer(connection)
    assert answered == status
    assert json.loads(body)["error"]["request_id"]
    assert server.health().status_code == 200


def test_a_body_that_breaks_off_leaves_no_registration(server: Server) -> None:
    body = someone()
    connection = connect(server, HEAD + body[:-1])
    connection.shutdown(socket.SHUT_WR)
    assert read_answer(connection)[0] == 400
    assert server.register(json.loads(body)).status_code == 201


def test_sigterm_finishes_the_request_in_flight_and_exits_cleanly(own_server: Server) -> None:
    idle = connect(own_server)
    body = someone()
    connection = connect(own_server, HEAD + body[:20])
    assert own_server.health().ok  # the server has seen what was sent before
    own_server.process.terminate()
    assert idle.recv(1) == b""  # idle connections are closed by now: ours was not idle
    connection.sendall(body[20:])
    status, answer = read_answer(connection)
    assert status == 201
    assert json.loads(answer)["message"] == "User created"
    # We leave our connection open; gunicorn's graceful time-out would end it after 25 s.
    assert own_server.process.wait(15) == 0


def test_idle_connections_do_not_hold_up_the_end(own_server: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    idle = [connect(own_server, request) for _ in range(10)]
    assert {read_answer(each)[0] for each in idle} == {200}
    started = time.monotonic()
    assert own_server.stop() == 0
    # It takes 2 to 4 s; gunicorn's graceful time-out, which they would hold it up to, is 25 s.
    assert time.monotonic() - started < 15


def test_every_line_of_the_log_is_json_and_tells_of_the_start(own_server: Server) -> None:
    own_server.register(ADA)
    assert own_server.stop() == 0
    lines = own_server.log_lines()
    assert any(line.get("outcome") == "created" for line in lines)
    assert any("Listening at" in line["message"] for line in lines)


def test_with_settings_missing_it_exits_and_names_them(tmp_path: Path) -> None:
    server = launch({"AWS_REGION": "us-east-1", "DB_SECRET_ARN": ""}, tmp_path)
    assert server.process.wait(20) == 1
    messages = "\n".join(line["message"] for line in server.log_lines())
    assert "PARAM_HOST_PATH is not set" in messages
    assert "DB_SECRET_ARN is not set" in messages


def test_it_starts_before_its_database_and_becomes_ready_with_it(tmp_path: Path) -> None:
    (tmp_path / "migrated").mkdir()
    migrated_sqlite(tmp_path / "migrated")
    database = tmp_path / "later" / "service.db"
    environ = {"DATABASE_URL": f"sqlite:///{database}", "WEB_CONCURRENCY": "1"}
    server = launch(environ, tmp_path)
    try:
        deadline = time.monotonic() + 20
        while "Booting worker" not in server.log.read_text():
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)
        assert server.health().status_code == 503
        (tmp_path / "migrated").rename(database.parent)
        assert server.health().status_code == 200
    finally:
        server.process.kill()
        server.process.wait()
