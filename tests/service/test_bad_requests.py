"""Requests that no well-behaved client sends, byte by byte, to the service under its real server.

Each is answered with a status of the published description, in the shape of every other error, and
the service goes on; also while its database is away.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING

import jsonschema
import pytest

from service.app import OPENAPI
from tests.service.bad_requests import (
    AWAY,
    BODY,
    CHUNKED,
    LENGTH,
    NO_METHOD,
    OK,
    TOO_LARGE,
    everything,
    request,
)
from tests.service.server import Server, migrated_sqlite, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

pytestmark = pytest.mark.xdist_group("service-process")

ERROR = json.loads(OPENAPI.read_text())["components"]["schemas"]["Error"]
EVERYTHING = everything()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bad")
    environ = {**migrated_sqlite(folder), "WEB_CONCURRENCY": "1", "RATE_LIMIT": "off"}
    with run_server(environ, folder) as running:
        yield running


@pytest.fixture(scope="module")
def without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("away")
    environ = {
        "DATABASE_URL": f"sqlite:///{folder}/nowhere/service.db",
        "WEB_CONCURRENCY": "1",
        "RATE_LIMIT": "off",
    }
    with run_server(environ, folder, health=AWAY) as running:
        yield running


def read_answer(stream: BinaryIO, method: bytes = b"POST") -> tuple[int, dict[str, str], bytes]:
    """Read one answer; gives status, headers and body."""
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        assert name.lower() not in headers
        headers[name.lower()] = value.strip()
    size = 0 if method == b"HEAD" else int(headers.get("content-length", 0))
    return status, headers, stream.read(size)


def answer_of(server: Server, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, then nothing more; give the status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return read_answer(stream, data.partition(b" ")[0])


@pytest.mark.parametrize(("data", "status"), EVERYTHING.values(), ids=EVERYTHING)
def test_whatever_comes_is_answered_as_described(server: Server, data: bytes, status: int) -> None:
    got, headers, body = answer_of(server, data)
    if status == OK:
        assert got in {200, 201}, body
        assert json.loads(body)["id"]
        assert len(headers["x-request-id"]) == 32
    else:
        expect_error((got, headers, body), status)
    assert server.health().status_code == 200


@pytest.mark.parametrize(("data", "status"), EVERYTHING.values(), ids=EVERYTHING)
def test_without_its_database_what_is_good_is_put_off_and_the_rest_refused_as_ever(
    without_database: Server, data: bytes, status: int
) -> None:
    answer = answer_of(without_database, data)
    expect_error(answer, AWAY if status == OK else status)
    assert ("retry-after" in answer[1]) == (status == OK)


def test_nothing_of_all_this_was_an_error_of_ours(server: Server, without_database: Server) -> None:
    """Runs behind the tests above, which fill these logs."""
    assert [line for line in server.log_lines() if line["level"] not in {"info", "warning"}] == []
    assert {
        line["message"] for line in without_database.log_lines() if line["level"] == "error"
    } <= {"the database is not available"}
    for each in (server, without_database):
        assert "Traceback" not in each.log.read_text()


def test_who_waits_for_leave_to_send_the_body_gets_it(server: Server) -> None:
    head = request(headers=LENGTH + b"Expect: 100-continue\r\n", body=b"")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head)
        with connection.makefile("rb") as stream:
            assert read_answer(stream)[0] == 100
            connection.sendall(BODY)
            assert read_answer(stream)[0] in {200, 201}


def test_requests_sent_in_one_go_are_answered_in_turn(server: Server) -> None:
    health = request(b"GET /healthz HTTP/1.1", b"", b"")
    unknown = request(b"POST /api/nope HTTP/1.1")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request() + health + unknown + request() + b"no request\r\n\r\n")
        with connection.makefile("rb") as stream:
            statuses = [read_answer(stream)[0] for _ in range(5)]
            assert stream.read() == b""
    assert statuses[0] in {200, 201}
    assert statuses[1:] == [200, 404, 200, 400]


def test_what_follows_a_refused_body_is_not_taken_for_a_request(server: Server) -> None:
    inner = request(b"GET /healthz HTTP/1.1", b"", b"")
    unread = request(b"POST /api/nope HTTP/1.1", b"Content-Length: %d\r\n" % len(inner), inner)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(unread)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            assert read_answer(stream)[0] == 404
            assert stream.read() == b""


def test_clients_that_hang_up_are_no_error_and_hinder_nobody(server: Server) -> None:
    data = request()
    for end in (len(data), len(data) - 20, len(data) - len(BODY), 40, 1) * 10:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            # Closed with a reset, as by a client that was killed.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(data[:end])
    assert answer_of(server, data)[0] in {200, 201}
    assert "error" not in {line["level"] for line in server.log_lines()}


def test_head_is_answered_without_a_body(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(
            request(b"HEAD /api/register HTTP/1.1", b"", b"")
            + request(b"HEAD /healthz HTTP/1.1", b"", b"")
        )
        with connection.makefile("rb") as stream:
            assert read_answer(stream, b"HEAD")[0] == NO_METHOD
            assert read_answer(stream, b"HEAD")[0] == 200


PAGES = {
    "up": (b"GET /static/../app.py HTTP/1.1", 404),
    "escaped dots": (b"GET /static/%2e%2e/app.py HTTP/1.1", 404),
    "an escaped backslash": (b"GET /static/..%5capp.py HTTP/1.1", 404),
    "an escaped NUL": (b"GET /static/%00 HTTP/1.1", 404),
    "a long name": (b"GET /static/" + b"a" * 3000 + b" HTTP/1.1", 404),
    "a folder": (b"GET /static/ HTTP/1.1", 404),
    "no range": (b"GET /static/style.css HTTP/1.1\r\nRange: bytes=999999-", 416),
    "a range backwards": (b"GET /static/style.css HTTP/1.1\r\nRange: bytes=5-2", 416),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1", 404),
    "OPTIONS of all": (b"OPTIONS * HTTP/1.1", 404),
    "PUT": (b"PUT / HTTP/1.1", 405),
    "nearly the API": (b"POST /apix HTTP/1.1", 404),
    "the API in capitals": (b"POST /API/register HTTP/1.1", 404),
    "a backslash": (b"POST /api\\register HTTP/1.1", 404),
    "another host in the path": (b"GET //evil.example/%2f.. HTTP/1.1", 404),
    "JSON to the form": (b"POST / HTTP/1.1", 415),
}


@pytest.mark.parametrize(("line", "status"), PAGES.values(), ids=PAGES)
def test_outside_the_api_it_is_a_page_that_discloses_nothing(
    server: Server, line: bytes, status: int
) -> None:
    got, headers, body = answer_of(server, request(line))
    assert got == status
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"Traceback" not in body


def test_an_endless_body_is_not_read_for_ever(server: Server) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request(headers=CHUNKED, body=b""))
        with pytest.raises(ConnectionError):
            connection.sendall(piece * 2000)
    assert server.health().status_code == 200


def test_a_refused_body_may_be_sent_to_its_end_before_the_answer_is_read(server: Server) -> None:
    data = request(headers=b"Content-Length: 3000000\r\n", body=b" " * 3_000_000)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data + request())
        with connection.makefile("rb") as stream:
            assert read_answer(stream)[0] == TOO_LARGE
            assert read_answer(stream)[0] in {200, 201}


def expect_error(answer: tuple[int, dict[str, str], bytes], status: int) -> None:
    """Expect an error in the published shape."""
    got, headers, body = answer
    assert got == status, body
    assert headers["content-type"] == "application/json; charset=utf-8"
    payload = json.loads(body)
    jsonschema.validate(payload, ERROR)
    assert payload["error"]["request_id"] == headers["x-request-id"]
