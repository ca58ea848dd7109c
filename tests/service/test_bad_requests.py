"""Requests that no well-behaved client sends, byte by byte, to the service under its real server.

Each is answered with a status of the published description, in the shape of every other error, and
the service goes on.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import jsonschema
import pytest

from service.app import OPENAPI
from tests.service.conftest import ADA
from tests.service.server import Server, migrated_sqlite, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("service-process")

ERROR = json.loads(OPENAPI.read_text())["components"]["schemas"]["Error"]
BODY = json.dumps(ADA).encode()
JSON = b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bad")
    environ = {**migrated_sqlite(folder), "WEB_CONCURRENCY": "1", "RATE_LIMIT": "off"}
    with run_server(environ, folder) as running:
        yield running


def request(
    line: bytes = b"POST /api/register HTTP/1.1",
    headers: bytes = LENGTH,
    body: bytes = BODY,
    host: bytes = HOST,
) -> bytes:
    return line + b"\r\n" + host + JSON + headers + b"\r\n" + body


def answer_of(server: Server, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, then nothing more; give the status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                assert name.lower() not in headers
                headers[name.lower()] = value.strip()
            return status, headers, stream.read(int(headers["content-length"]))


LINES = {
    "no path": (b"POST  HTTP/1.1", 400),
    "no slash": (b"POST api/register HTTP/1.1", 400),
    "bytes in the path": (b"POST /api/\xff\xfe HTTP/1.1", 400),
    "bytes in the query": (b"POST /api/register?a=\xff HTTP/1.1", 400),
    "a line end in the path": (b"POST /api/\rregister HTTP/1.1", 400),
    "escaped bytes": (b"POST /api/%ff%fe HTTP/1.1", 404),
    "an escaped line end": (b"POST /api/%0d%0aX:%20y HTTP/1.1", 404),
    "an escaped NUL": (b"POST /api/register%00 HTTP/1.1", 404),
    "two slashes": (b"POST /api//register HTTP/1.1", 404),
    "dots": (b"POST /api/../api/./register HTTP/1.1", 404),
    "a parameter": (b"POST /api/register;a=b HTTP/1.1", 404),
    "a long path": (b"POST /api/" + b"a" * 5000 + b" HTTP/1.1", 414),
    "lower case": (b"post /api/register HTTP/1.1", 400),
    "no token": (b"P@ST /api/register HTTP/1.1", 400),
    "a long method": (b"A" * 100 + b" /api/register HTTP/1.1", 400),
    "an unknown method": (b"BREW /api/register HTTP/1.1", 405),
    "HTTP/2.0": (b"POST /api/register HTTP/2.0", 400),
    "HTTP/0.9": (b"GET /api/register", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0", 400),
    "the PROXY protocol": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", 400),
}


@pytest.mark.parametrize(("line", "status"), LINES.values(), ids=LINES)
def test_a_strange_request_line(server: Server, line: bytes, status: int) -> None:
    check(server, request(line), status)


HEADERS = {
    "another length": (b"Content-Length: 3\r\n", BODY, 400),
    "the same length twice": (LENGTH, BODY, 400),
    "two types": (b"Content-Type: text/plain\r\n", BODY, 400),
    "a length and chunks": (CHUNKED, BODY, 400),
    "a space in a name": (b"X Y: a\r\n", BODY, 400),
    "a space before the colon": (b"X : a\r\n", BODY, 400),
    "no colon": (b"X\r\n", BODY, 400),
    "a control character": (b"X: a\x01b\r\n", BODY, 400),
    "a folded line": (b"X: a\r\n b\r\n", BODY, 400),
    "two hosts": (HOST, BODY, 400),
    "200 headers": (b"".join(b"X%d: a\r\n" % n for n in range(200)), BODY, 431),
    "an unknown expectation": (b"Expect: tea\r\n", BODY, 417),
}


@pytest.mark.parametrize(("headers", "body", "status"), HEADERS.values(), ids=HEADERS)
def test_strange_headers_beside_a_good_body(
    server: Server, headers: bytes, body: bytes, status: int
) -> None:
    check(server, request(headers=LENGTH + headers, body=body), status)


FRAMES = {
    "no length": (b"", BODY, 400),
    "an empty length": (b"Content-Length: \r\n", BODY, 400),
    "a length with a sign": (b"Content-Length: +5\r\n", BODY, 400),
    "a length in hexadecimal": (b"Content-Length: 0x5\r\n", BODY, 400),
    "a length with an underscore": (b"Content-Length: 1_0\r\n", BODY, 400),
    "a length beyond reason": (b"Content-Length: " + b"9" * 30 + b"\r\n", BODY, 413),
    "a length that is too short": (b"Content-Length: 5\r\n", BODY, 400),
    "a length that is too long": (b"Content-Length: 500\r\n", BODY, 400),
    "an unknown coding": (b"Transfer-Encoding: tea\r\n", BODY, 501),
    "chunks twice": (CHUNKED * 2, b"0\r\n\r\n", 400),
    "gzip and chunks": (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", 400),
    "no chunks at all": (CHUNKED, b"0\r\n\r\n", 400),
    "a chunk of less than nothing": (CHUNKED, b"-1\r\n\r\n", 400),
    "a chunk beyond reason": (CHUNKED, b"f" * 20 + b"\r\nabc", 400),
    "a chunk that ends early": (CHUNKED, b"ff\r\nabc", 400),
    "no last chunk": (CHUNKED, b"%x\r\n%b\r\n" % (len(BODY), BODY), 400),
}


@pytest.mark.parametrize(("headers", "body", "status"), FRAMES.values(), ids=FRAMES)
def test_a_body_that_is_framed_strangely(
    server: Server, headers: bytes, body: bytes, status: int
) -> None:
    check(server, request(headers=headers, body=body), status)


HARMLESS = {
    "no host": request(host=b""),
    "a host that is none": request(host=b"Host: [\r\n"),
    "an origin that is none": request(headers=LENGTH + b"Origin: \xff://[\r\n"),
    "bytes as request id": request(headers=LENGTH + b"X-Request-Id: " + b"\xff" * 8 + b"\r\n"),
    "no address of the client": request(headers=LENGTH + b"X-Forwarded-For: ,,\r\n"),
    "bytes as address": request(headers=LENGTH + b"X-Forwarded-For: \xff<script>\r\n"),
    "no known scheme": request(headers=LENGTH + b"X-Forwarded-Proto: javascript\r\n"),
    "a cookie that is none": request(headers=LENGTH + b"Cookie: \xff=;;=\r\n"),
    "credentials that are none": request(headers=LENGTH + b"Authorization: Basic ===\r\n"),
    "preferences that are none": request(headers=LENGTH + b"Accept: \xff;q=x\r\n"),
    "a wish for websockets": request(headers=LENGTH + b"Upgrade: websocket\r\n"),
    "a whole address": request(b"POST http://localhost/api/register HTTP/1.1"),
    "HTTP/1.0": request(b"POST /api/register HTTP/1.0"),
    "a trailer": request(
        headers=CHUNKED, body=b"%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY)
    ),
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_what_does_not_touch_the_registration_does_not_hinder_it(
    server: Server, data: bytes
) -> None:
    status, headers, body = answer_of(server, data)
    assert status in {200, 201}
    assert json.loads(body)["id"]
    assert len(headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /static/../app.py HTTP/1.1", 404),
        (b"GET /static/%2e%2e/app.py HTTP/1.1", 404),
        (b"GET /static/..%5capp.py HTTP/1.1", 404),
        (b"GET /static/%00 HTTP/1.1", 404),
        (b"GET /static/" + b"a" * 3000 + b" HTTP/1.1", 404),
        (b"GET /static/ HTTP/1.1", 404),
        (b"CONNECT localhost:80 HTTP/1.1", 404),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"PUT / HTTP/1.1", 405),
    ],
)
def test_outside_the_api_it_is_a_page_that_discloses_nothing(
    server: Server, line: bytes, status: int
) -> None:
    got, headers, body = answer_of(server, request(line))
    assert got == status
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"Traceback" not in body
    assert headers["x-request-id"].encode() in body


def check(server: Server, data: bytes, status: int) -> None:
    """Expect an error in the published shape, and a service that goes on."""
    got, headers, body = answer_of(server, data)
    assert got == status, body
    assert headers["content-type"] == "application/json; charset=utf-8"
    payload = json.loads(body)
    jsonschema.validate(payload, ERROR)
    assert payload["error"]["request_id"] == headers["x-request-id"]
    assert server.health().status_code == 200
