from __future__ import annotations

import json
import logging
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jsonschema
import pytest

from service.app import OPENAPI, create_app
from service.body import MAX_BODY_BYTES
from service.logs import JsonFormatter
from service.ratelimit import RateLimit
from service.settings import Settings, SqliteSettings
from tests.service.conftest import ADA

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

PATH = "/api/register"
DOCUMENT = json.loads(OPENAPI.read_text())


def post(client: FlaskClient, values: object = ADA, **options: Any) -> TestResponse:
    return client.post(PATH, json=values, **options)


def error_of(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check an error's shape against the published one; gives the error."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    payload = response.get_json()
    schema = {**DOCUMENT["components"]["schemas"]["Error"]}
    jsonschema.validate(payload, schema)
    error: dict[str, Any] = payload["error"]
    assert error["code"] == code
    assert error["request_id"] == response.headers["X-Request-Id"]
    return error


def test_a_registration_is_created(client: FlaskClient) -> None:
    response = post(client)
    assert response.status_code == 201
    payload = response.get_json()
    jsonschema.validate(payload, DOCUMENT["components"]["schemas"]["Registered"])
    assert payload["message"] == "User created"
    assert UUID(payload["id"]).version == 4


def test_the_same_registration_again_is_answered_with_the_same_id(client: FlaskClient) -> None:
    first = post(client)
    again = post(client, {**ADA, "email": "ADA@example.com", "phone": "+44 (0)20 7946 0958"})
    assert again.status_code == 200
    assert again.get_json()["id"] == first.get_json()["id"]


@pytest.mark.parametrize("field", ["name", "phone", "program"])
def test_a_known_email_with_other_data_is_a_conflict_that_discloses_nothing(
    client: FlaskClient, field: str
) -> None:
    post(client)
    other = {"name": "Eve", "phone": "+12125550123", "program": "Alchemy"}[field]
    response = post(client, {**ADA, field: other})
    error = error_of(response, 409, "email_taken")
    assert list(error["fields"]) == ["email"]
    assert ADA[field] not in response.text


def test_of_many_equal_registrations_at_once_one_is_created(sqlite: SqliteSettings) -> None:
    app = create_app(Settings(database=sqlite))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(app.test_client()), range(100)))
    assert sorted(answer.status_code for answer in answers) == [200] * 99 + [201]
    assert len({answer.get_json()["id"] for answer in answers}) == 1


def test_every_field_at_fault_has_its_error(client: FlaskClient) -> None:
    error = error_of(post(client, {"name": "", "email": "x"}), 400, "invalid_fields")
    assert list(error["fields"]) == ["name", "email", "phone", "program"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": "a", "name": "b"}',
        b'{"name": ' + b"1" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 2500 + b"1" + b"}" * 2500,
        b"{'name': 'Ada'}",
        b'{"name": "Ada\x00"}',
        b'{"name": "Ada",}',
        b'{"name": "\\x41"}',
        b'{"name": "\\u12"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": 01}',
        b'{"name": +1}',
        b'{"name": 1.}',
        b"{} {}",
        b"{}\x00",
        b"/**/{}",
        "{}".encode("utf-16"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: FlaskClient, body: bytes) -> None:
    response = client.post(PATH, data=body, content_type="application/json")
    error_of(response, 400, "invalid_json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\ud800"}',
        b'{"\\ud800": "x"}',
        b'{"name": "\\u0000"}',
        b'{"name": 1e999}',
        b'{"name": -0}',
        b'{"name": true}',
        b'{"name": {"a": ["b"]}}',
        b'{"": 1}',
        b'{"__proto__": {"name": "Ada"}}',
        b'{"%s": 1}' % (b"k" * 16_000),
        b"{%s}" % b",".join(b'"k%d":1' % number for number in range(1500)),
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ],
)
def test_json_that_hides_what_is_not_text_is_refused_by_field(
    client: FlaskClient, body: bytes
) -> None:
    response = client.post(PATH, data=body, content_type="application/json")
    error_of(response, 400, "invalid_fields")


def test_a_body_of_the_greatest_size_is_read(client: FlaskClient) -> None:
    body = json.dumps(ADA).encode().ljust(MAX_BODY_BYTES)
    assert client.post(PATH, data=body, content_type="application/json").status_code == 201


def test_a_larger_body_is_refused(client: FlaskClient) -> None:
    body = json.dumps(ADA).encode().ljust(MAX_BODY_BYTES + 1)
    response = client.post(PATH, data=body, content_type="application/json")
    error_of(response, 413, "body_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "identity, gzip"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": ";"},
        {},
    ],
)
def test_another_type_of_body_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    error_of(client.post(PATH, data=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_another_method_is_refused_and_told_which_are_allowed(
    client: FlaskClient, method: str
) -> None:
    response = client.open(PATH, method=method)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert response.mimetype == "application/json"


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/register/", "/api//register", "/api/nope", "/api/%00"]
)
def test_an_unknown_path_of_the_api_is_answered_in_json(client: FlaskClient, path: str) -> None:
    error_of(client.get(path), 404, "not_found")


def test_without_its_table_the_service_says_503_and_when_to_come_back(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = create_app(Settings(SqliteSettings(str(tmp_path / "new.db")))).test_client()
    response = post(client)
    error_of(response, 503, "database_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "python -m service.migrate" in lines_of(caplog)


def test_health_is_bad_until_the_table_could_be_read(tmp_path: Any, client: FlaskClient) -> None:
    database = SqliteSettings(str(tmp_path / "missing" / "new.db"))
    waiting = create_app(Settings(database)).test_client()
    assert waiting.get("/healthz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.head("/healthz").status_code == 200


def test_health_stays_good_when_the_database_goes_away(sqlite: SqliteSettings) -> None:
    app = create_app(Settings(database=sqlite))
    client = app.test_client()
    assert client.get("/healthz").get_json() == {"status": "ok"}
    with closing(sqlite3.connect(sqlite.path)) as connection:
        connection.execute("DROP TABLE users")
    error_of(post(client), 503, "database_unavailable")
    assert client.get("/healthz").status_code == 200


def test_a_client_above_the_limit_is_told_to_wait(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rate_limit=RateLimit(2, 3600))
    answers = [post(client).status_code for _ in range(2)]
    response = post(client)
    assert answers == [201, 200]
    error_of(response, 429, "rate_limited")
    assert int(response.headers["Retry-After"]) > 0


def test_clients_are_told_apart_by_what_the_load_balancer_appended(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600))
    statuses = [
        post(client, headers={"X-Forwarded-For": forwarded}).status_code
        for forwarded in ("1.1.1.1, 203.0.113.7", "9.9.9.9, 203.0.113.7", "1.1.1.1, 203.0.113.8")
    ]
    assert statuses == [201, 429, 200]


@pytest.mark.parametrize(
    "forwarded",
    [
        "203.0.113.7",
        "198.51.100.1, 203.0.113.7",
        "203.0.113.8,203.0.113.7",
        "::1, 127.0.0.1, 203.0.113.7",
        " , ,203.0.113.7",
        "::ffff:203.0.113.7",
    ],
)
def test_no_invented_address_gets_a_client_around_its_limit(
    make_client: Callable[..., FlaskClient], forwarded: str
) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600))
    assert post(client, headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 201
    assert post(client, headers={"X-Forwarded-For": forwarded}).status_code == 429


def test_a_customer_with_a_whole_ipv6_network_is_one_client(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600))
    statuses = [
        post(client, headers={"X-Forwarded-For": address}).status_code
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    ]
    assert statuses == [201, 429, 200]


def test_behind_two_proxies_the_address_is_the_one_that_the_outer_one_saw(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600), trusted_proxies=2)
    statuses = [
        post(client, headers={"X-Forwarded-For": forwarded}).status_code
        for forwarded in (
            "192.0.2.1, 203.0.113.7, 10.0.0.1",
            "192.0.2.2, 203.0.113.7, 10.0.0.2",
            "192.0.2.1, 203.0.113.8, 10.0.0.1",
        )
    ]
    assert statuses == [201, 429, 200]


def test_health_checks_are_not_limited(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600))
    assert {client.get("/healthz").status_code for _ in range(5)} == {200}


def test_a_request_id_is_taken_over_when_it_is_harmless(client: FlaskClient) -> None:
    given = post(client, headers={"X-Request-Id": "web-1234.5678"})
    assert given.headers["X-Request-Id"] == "web-1234.5678"
    for bad in ("short", "x" * 65, 'quote"quote', "spaces in it"):
        made = post(client, headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


ORIGIN = "https://school.example"


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_listed_origin_may_read_answers(
    make_client: Callable[..., FlaskClient], method: str
) -> None:
    client = make_client(cors_origins=frozenset({ORIGIN}))
    headers = client.open(PATH, method=method, headers={"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Origin" in headers["Vary"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;",
        'Application/JSON; charset="UTF-8"',
        "application/json; a=b; charset=utf8",
    ],
)
def test_json_may_be_announced_in_other_words(client: FlaskClient, content_type: str) -> None:
    response = client.post(PATH, data=json.dumps(ADA), content_type=content_type)
    assert response.status_code == 201


def test_a_preflight_is_answered_and_may_be_kept(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(cors_origins=frozenset({ORIGIN}))
    response = client.options(PATH, headers={"Origin": ORIGIN})
    assert response.status_code == 204
    assert "Content-Type" not in response.headers
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert "content-type" in response.headers["Access-Control-Allow-Headers"].lower()
    assert int(response.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://school.example.evil.example",
        "https://evil-school.example",
        "http://school.example",
        "https://school.example:8443",
        "https://school.example.",
        "https://school.example/",
        "https://school.example@evil.example",
        "https://school.example, https://evil.example",
        "https://xn--school-.example",
        "https://school.example\u3002evil.example",
        "https://school.exampl\u0435",
        "https://school.example:443",
        "https://school.example:0443",
        "https://school.example#",
        "https://school.example?",
        "https://sub.school.example",
        "https://schoolxexample",
        "HTTPS://school.example",
        " https://school.example.evil.example",
        "https://school.example https://evil.example",
        "*",
        "file://",
        "chrome-extension://school.example",
        "https://SCHOOL.example",
        "",
    ],
)
def test_another_origin_gets_no_cors_headers(
    make_client: Callable[..., FlaskClient], origin: str
) -> None:
    client = make_client(cors_origins=frozenset({ORIGIN}))
    headers = client.options(PATH, headers={"Origin": origin}).headers
    assert not [name for name in headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 - not a dict
    assert "Origin" in headers["Vary"]


@pytest.mark.parametrize("path", ["/", PATH, "/healthz", "/nope", "/static/style.css"])
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_https_is_made_sticky_where_the_client_used_it(client: FlaskClient) -> None:
    headers = client.get("/", headers={"X-Forwarded-Proto": "https"}).headers
    assert "max-age=63072000" in headers["Strict-Transport-Security"]


def test_answers_of_the_api_are_not_cached(client: FlaskClient) -> None:
    assert post(client).headers["Cache-Control"] == "no-store"


def lines_of(caplog: pytest.LogCaptureFixture) -> str:
    formatter = JsonFormatter()
    return "\n".join(formatter.format(record) for record in caplog.records)


def test_the_log_tells_what_happened_and_nothing_about_the_person(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = {
        "name": "Canary Name",
        "email": "canary@example.com",
        "phone": "+442079460999",
        "program": "Canary Program",
    }
    post(client, person, query_string={"q": "canary"}, headers={"User-Agent": "canary"})
    post(client, {**person, "name": "Canary Other"})
    post(client, {**person, "email": "canary\r\n{}"})
    client.get("/canary/path")
    lines = [json.loads(line) for line in lines_of(caplog).splitlines()]
    assert [line["outcome"] for line in lines] == [
        "created",
        "email_taken",
        "invalid_fields",
        "not_found",
    ]
    assert lines[0]["route"] == PATH
    assert "canary" not in json.dumps(lines).lower()
    assert "9460999" not in json.dumps(lines)


def test_an_unexpected_error_is_a_500_whose_text_stays_out_of_answer_and_log(
    sqlite: SqliteSettings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(database=sqlite))

    @app.get("/api/broken")
    def broken() -> str:
        raise KeyError("canary")

    response = app.test_client().get("/api/broken")
    error_of(response, 500, "internal_error")
    line = json.loads(lines_of(caplog).splitlines()[0])
    assert line["exception"] == "KeyError"
    assert any("broken" in place for place in line["stack"])
    assert "canary" not in response.text
    assert "canary" not in lines_of(caplog)
