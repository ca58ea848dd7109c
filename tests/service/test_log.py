"""The log of the running service: no line tells of a person or is forged, whatever is sent."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from tests.service.bad_requests import everything, request
from tests.service.conftest import ADA
from tests.service.server import Server, migrated_sqlite, run_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("service-process")

FORGED = '{"level": "critical", "message": "forged"}'
LINE_ENDS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\x1e"]
CANARY = {
    "name": "Canary Surname",
    "email": "canary.surname@example.com",
    "phone": "+442079460999",
    "program": "Canary Studies",
}
TRACES = ("canary", "surname", "forged", "9460999", "203.0.113.77")
HEADERS = (
    "User-Agent",
    "Referer",
    "Cookie",
    "Authorization",
    "X-Request-Id",
    "X-Amzn-Trace-Id",
    "X-Forwarded-For",
    "Origin",
    "Host",
    "Accept-Language",
    "Content-Type",
)


def send(server: Server, data: bytes) -> None:
    """Send bytes, and wait until the service has answered and closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass  # closed with something unread


def as_json(values: dict[str, str]) -> bytes:
    body = json.dumps(values).encode()
    return request(headers=b"Content-Length: %d\r\n" % len(body), body=body)


def as_form(values: dict[str, str]) -> bytes:
    body = urlencode(values).encode()
    return request(
        b"POST / HTTP/1.1",
        headers=b"Content-Length: %d\r\n" % len(body),
        body=body,
        media_type=b"Content-Type: application/x-www-form-urlencoded\r\n",
    )


def speak_of_the_canary(server: Server) -> int:
    """Put the person and forged lines wherever a client can write; gives the number of requests."""
    requests = [as_json(CANARY), as_json(CANARY), as_json({**CANARY, "name": "Other Canary"})]
    requests += [as_form(CANARY), as_form({**CANARY, "name": "Other Canary"})]
    for end in LINE_ENDS:
        for field, value in CANARY.items():
            requests.append(as_json({**CANARY, field: f"{value}{end}{FORGED}"}))
            requests.append(as_form({**CANARY, field: f"{value}{end}{FORGED}"}))
        requests.append(as_json({**CANARY, f"canary{end}{FORGED}": "x"}))
        escaped = quote(f"canary{end}{FORGED}").encode()
        requests += [
            request(b"POST /api/" + escaped + b" HTTP/1.1"),
            request(b"GET /" + escaped + b" HTTP/1.1"),
            request(b"POST /api/register?q=" + escaped + b" HTTP/1.1"),
        ]
        for header in HEADERS:
            line = f"{header}: canary{end}{FORGED} 203.0.113.77\r\n".encode()
            requests.append(request(headers=line, body=b""))
    requests += [
        request(b"CANARY /api/register HTTP/1.1"),
        request(b"GET /canary surname HTTP/1.1"),
        request(headers=b"canary surname\r\n"),
        request(headers=b"X-Forwarded-For: 203.0.113.77\r\n"),
        request(headers=b"Transfer-Encoding: chunked\r\n", body=b"canary\r\n"),
        b"\n" + FORGED.encode() + b"\n",
    ]
    for each in requests:
        send(server, each)
    return len(requests)


@pytest.mark.parametrize("database", ["there", "away"])
def test_no_line_tells_of_a_person_and_none_is_forged(tmp_path: Path, database: str) -> None:
    environ = (
        migrated_sqlite(tmp_path)
        if database == "there"
        else {"DATABASE_URL": f"sqlite:///{tmp_path}/nowhere/service.db"}
    )
    health = 200 if database == "there" else 503
    with run_server({**environ, "RATE_LIMIT": "off"}, tmp_path, health=health) as server:
        count = speak_of_the_canary(server)
        server.stop()
        lines = server.log_lines()  # fails where a line is not one JSON object
    text = server.log.read_text().lower()
    assert [trace for trace in TRACES if trace in text] == []
    assert text.isascii()
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {line["level"] for line in lines} <= {"info", "warning", "error"}
    assert sum(line["message"] in {"request", "malformed request"} for line in lines) >= count


def test_every_bad_request_leaves_one_line_that_names_no_value(tmp_path: Path) -> None:
    environ = {**migrated_sqlite(tmp_path), "WEB_CONCURRENCY": "1", "RATE_LIMIT": "off"}
    with run_server(environ, tmp_path) as server:
        for data, _status in everything().values():
            send(server, data)
        server.stop()
        lines = server.log_lines()
    told = [line for line in lines if line["message"] in {"request", "malformed request"}]
    # The probe of the health check that found the service not ready yet is told, too.
    assert len(everything()) <= len(told) <= len(everything()) + 2
    text = server.log.read_text()
    assert [value for value in ADA.values() if value in text] == []
    assert "127.0.0.1:" not in "".join(json.dumps(line) for line in told)
