"""A real MariaDB that answers with errors, is full, or cannot be trusted; what the service says."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from schoolctl.sandbox.database import issue
from service.app import create_app
from service.db import open_connection
from service.settings import Settings
from tests.service.conftest import ADA
from tests.service.crowd import Crowd
from tests.service.mariadb import USER, MariaDb, run_mariadb
from tests.service.server import launch, run_server, task_environ

if TYPE_CHECKING:
    from pathlib import Path

    from docker.client import DockerClient
    from flask import Flask
    from werkzeug.test import TestResponse

    from tests.conftest import Aws

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("service-mariadb")]

CANARY = "canary@example.com"
SERVER_GONE = {
    "server shutdown in progress": 1053,
    "--read-only": 1290,
    "read only transaction": 1792,
    "read only mode": 1836,
    "failover": 3100,
}
TROUBLE = {
    "out of memory": 1041,
    "disk full": 1021,
    "table full": 1114,
    "lock wait timeout": 1205,
    "deadlock": 1213,
    "query interrupted": 1317,
    "statement timeout": 1969,
    "no such table": 1146,
    "insert denied": 1142,
    "unknown": 1105,
}


def refuse_inserts(mariadb: MariaDb, number: int, condition: str = "TRUE") -> None:
    """Have the server answer each INSERT with an error of its own, by number."""
    mariadb.sql(
        "DELIMITER //\n"
        "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW "
        f"IF {condition} THEN SIGNAL SQLSTATE 'HY000' "
        f"SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'about {CANARY}'; END IF //"
    )


def post(app: Flask, number: int = 1) -> TestResponse:
    return app.test_client().post(
        "/api/register", json={**ADA, "email": f"person{number}@example.com"}
    )


@pytest.mark.parametrize("number", SERVER_GONE.values(), ids=SERVER_GONE)
def test_a_server_that_may_not_write_any_more_is_left_at_once(
    mariadb: MariaDb, number: int
) -> None:
    """The trigger refuses whoever is connected already, as an old primary does after failover."""
    app = create_app(Settings(mariadb.settings()))
    assert post(app, 1).status_code == 201
    newest = mariadb.sql("SELECT MAX(id) FROM information_schema.processlist")
    refuse_inserts(mariadb, number, f"CONNECTION_ID() <= {newest}")
    assert post(app, 2).status_code == 201
    assert mariadb.sql("SELECT COUNT(*) FROM users") == "2"


@pytest.mark.parametrize(
    "number", [*SERVER_GONE.values(), *TROUBLE.values()], ids=[*SERVER_GONE, *TROUBLE]
)
def test_an_error_of_the_server_is_answered_with_503_and_its_words_stay_out_of_the_log(
    mariadb: MariaDb, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(mariadb.settings()))
    assert post(app, 1).status_code == 201
    refuse_inserts(mariadb, number)
    response = post(app, 2)
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "database_unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert app.test_client().get("/healthz").status_code == 200
    fields: list[dict[str, Any]] = [getattr(each, "fields", {}) for each in caplog.records]
    assert number in [each.get("number") for each in fields]
    assert CANARY not in json.dumps(fields) + caplog.text
    mariadb.sql("DROP TRIGGER refuse")
    assert post(app, 2).status_code == 201


def test_values_of_the_greatest_size_fit_into_their_columns(mariadb: MariaDb) -> None:
    """Four bytes a character: what utf8mb3 or a shorter column would refuse or cut."""
    app = create_app(Settings(mariadb.settings()))
    widest = {
        "name": "\U00020bb7" * 255,
        "email": f"{'a' * 64}@{'.'.join(['b' * 61] * 3)}.com",
        "phone": "+4912345678901234",
        "program": "\U0001f393" * 100,
    }
    assert len(widest["email"]) > 250
    response = app.test_client().post("/api/register", json=widest)
    assert response.status_code == 201, response.text
    row = mariadb.sql("SELECT HEX(name), email, phone, HEX(program) FROM users").split("\t")
    stored = [bytes.fromhex(row[0]).decode(), row[1], row[2], bytes.fromhex(row[3]).decode()]
    assert stored == list(widest.values())


def _take_all_but_one(mariadb: MariaDb, held: ExitStack) -> None:
    settings = mariadb.settings()
    taken = []
    with suppress(pymysql.err.OperationalError):
        while True:
            taken.append(open_connection(settings, settings.login, 5))
    taken.pop().close()
    for each in taken:
        held.enter_context(each)


@pytest.mark.parametrize("limit", ["connections of all", "connections of the user"])
def test_a_database_with_no_connection_left_is_answered_with_503(
    mariadb: MariaDb, aws: Aws, tmp_path: Path, limit: str
) -> None:
    environ = {
        **task_environ(aws, mariadb.port),
        "DB_CA_PEM": mariadb.authority,
        "DB_POOL_SIZE": "8",
        "WEB_CONCURRENCY": "2",
    }
    with run_server(environ, tmp_path) as server, ExitStack() as held:
        try:
            # One connection is left, and two processes want one each.
            mariadb.cut_connections()
            if limit == "connections of all":
                mariadb.sql("SET GLOBAL max_connections = 10")
                _take_all_but_one(mariadb, held)
            else:
                mariadb.sql(f"ALTER USER '{USER}'@'%' WITH MAX_USER_CONNECTIONS 1")
            with Crowd(server.port, clients=48) as crowd:
                crowd.wait_for(500)
                health = server.health()
        finally:
            mariadb.sql("SET GLOBAL max_connections = 151")
            mariadb.sql(f"ALTER USER '{USER}'@'%' WITH MAX_USER_CONNECTIONS 0")
        numbers = {line.get("number") for line in server.log_lines()} - {None}
    assert health.status_code == 200
    assert set(crowd.statuses()) <= {200, 201, 503}
    assert crowd.statuses()[503] > 0
    assert numbers <= {1040, 1226, 1203, None}


UNTRUSTED = {
    "no authority": "not trusted",
    "another authority": "not trusted",
    "another host name": "not trusted",
    "no TLS": "offers no TLS",
}


@pytest.mark.parametrize("how", UNTRUSTED)
def test_without_trust_in_its_database_the_service_does_not_start_and_says_why(
    mariadb: MariaDb, engine_client: DockerClient, aws: Aws, tmp_path: Path, how: str
) -> None:
    environ = {**task_environ(aws, mariadb.port), "DB_CA_PEM": mariadb.authority}
    if how == "no TLS":
        with run_mariadb(engine_client, tls=False) as plain:
            line = refused({**environ, "DB_PORT": str(plain.port)}, tmp_path)
    else:
        if how == "no authority":
            environ["DB_CA_PEM"] = ""
        elif how == "another authority":
            environ["DB_CA_PEM"] = issue(["127.0.0.1"], datetime.now(UTC)).authority
        else:
            aws.client("ssm").put_parameter(
                Name="/schoolapp/test/db_host", Value="localhost", Overwrite=True
            )
        line = refused(environ, tmp_path)
    assert UNTRUSTED[how] in line


def test_connections_that_cannot_fit_are_refused_at_the_start(
    mariadb: MariaDb, aws: Aws, tmp_path: Path
) -> None:
    environ = {
        **task_environ(aws, mariadb.port),
        "DB_CA_PEM": mariadb.authority,
        "DB_POOL_SIZE": "36",
        "WEB_CONCURRENCY": "2",
    }
    line = refused(environ, tmp_path)
    assert "74 database connections" in line
    assert "the database allows 151" in line


@pytest.mark.parametrize(("limit", "tasks"), [(0, 12), (30, 2)])
def test_the_log_tells_how_many_tasks_the_database_has_connections_for(
    mariadb: MariaDb, aws: Aws, tmp_path: Path, limit: int, tasks: int
) -> None:
    environ = {
        **task_environ(aws, mariadb.port),
        "DB_CA_PEM": mariadb.authority,
        "WEB_CONCURRENCY": "2",
    }
    mariadb.sql(f"ALTER USER '{USER}'@'%' WITH MAX_USER_CONNECTIONS {limit}")
    try:
        with run_server(environ, tmp_path) as server:
            told = [line for line in server.log_lines() if "tasks_at_most" in line]
    finally:
        mariadb.sql(f"ALTER USER '{USER}'@'%' WITH MAX_USER_CONNECTIONS 0")
    assert [(line["each_task"], line["tasks_at_most"]) for line in told] == [(6, tasks)]


def refused(environ: dict[str, str], folder: Path) -> str:
    """Start the service, which must end by itself; gives the one line that says why."""
    server = launch(environ, folder)
    try:
        assert server.process.wait(30) == 1
    finally:
        server.process.kill()
    critical = [line["message"] for line in server.log_lines() if line["level"] == "critical"]
    assert len(critical) == 1
    return str(critical[0])
