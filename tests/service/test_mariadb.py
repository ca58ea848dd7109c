"""The service on a real MariaDB: what must survive, and what must be refused."""

from __future__ import annotations

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from schoolctl.sandbox.database import issue
from service.app import create_app
from service.db import Database, DatabaseRefusedError, make_engine
from service.migrate import migrate
from service.settings import MySqlSettings, Settings
from service.tls import Tls
from tests.service.conftest import ADA
from tests.service.mariadb import USER, MariaDb, run_mariadb, through
from tests.service.proxy import Cut, run_proxy
from tests.service.server import SECRET, Server, launch, run_server, task_environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.client import DockerClient
    from flask import Flask

    from tests.conftest import Aws

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("service-mariadb")]

RECOVERY_SECONDS = 5
LONGEST_SECONDS = 10


@pytest.fixture
def app(mariadb: MariaDb) -> Flask:
    return create_app(Settings(mariadb.settings()))


@pytest.fixture
def environ(mariadb: MariaDb, aws: Aws) -> dict[str, str]:
    """Give the environment of a task whose account has the database's parameters and secret."""
    return {**task_environ(aws, mariadb.port), "DB_CA_PEM": mariadb.authority}


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    with run_server(environ, tmp_path) as running:
        yield running


def post(app: Flask, values: dict[str, str]) -> Any:
    return app.test_client().post("/api/register", json=values)


def person(number: int) -> dict[str, str]:
    return {**ADA, "email": f"person{number}@example.com"}


def recovery_seconds(server: Server) -> float:
    """Repeat a new registration until it is taken; gives the time it took."""
    started = time.monotonic()
    while server.register(person(999)).status_code not in {200, 201}:
        assert time.monotonic() - started < 30
        time.sleep(0.1)
    return time.monotonic() - started


def test_a_registration_is_a_row_with_every_value_as_it_was(app: Flask, mariadb: MariaDb) -> None:
    values = {**ADA, "name": "李小龍 👩‍👩‍👧 O'Brien \\ %s", "program": "C++ & <b>"}
    response = post(app, values)
    assert response.status_code == 201
    row = mariadb.sql("SELECT id, HEX(name), email, phone, HEX(program) FROM users").split("\t")
    assert UUID(row[0]) == UUID(response.get_json()["id"])
    assert bytes.fromhex(row[1]).decode() == values["name"]
    assert row[2:4] == [ADA["email"], ADA["phone"]]
    assert bytes.fromhex(row[4]).decode() == values["program"]
    assert (
        mariadb.sql(
            "SELECT ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP())) < 60 FROM users"
        )
        == "1"
    )


def test_the_same_again_and_other_data_are_told_apart(app: Flask, mariadb: MariaDb) -> None:
    first = post(app, ADA)
    assert post(app, ADA).get_json()["id"] == first.get_json()["id"]
    assert post(app, {**ADA, "name": "ada lovelace"}).status_code == 409
    assert mariadb.sql("SELECT COUNT(*) FROM users") == "1"


def test_emails_that_a_folding_collation_would_merge_are_two_people(app: Flask) -> None:
    assert post(app, {**ADA, "email": "ada@xn--bcher-kva.example.com"}).status_code == 201
    assert post(app, {**ADA, "email": "ada@bucher.example.com"}).status_code == 201


def test_of_two_hundred_equal_registrations_at_once_one_makes_a_row(
    server: Server, mariadb: MariaDb
) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: server.register(ADA), range(200)))
    assert sorted(answer.status_code for answer in answers) == [200] * 199 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert mariadb.sql("SELECT COUNT(*) FROM users") == "1"


def test_connections_are_encrypted_and_strict(mariadb: MariaDb) -> None:
    engine = make_engine(mariadb.settings(), time.monotonic)
    with engine.connect() as connection:
        cipher = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'").one()
        mode = connection.exec_driver_sql("SELECT @@sql_mode, @@time_zone").one()
    engine.dispose()
    assert cipher[1]
    assert "STRICT_TRANS_TABLES" in mode[0]
    assert mode[1] == "+00:00"


def test_two_migrations_at_once_apply_each_step_once(mariadb: MariaDb) -> None:
    mariadb.sql("DROP TABLE users, schema_version")
    engine = make_engine(mariadb.settings(), time.monotonic, 60)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: migrate(engine), range(4)))
    engine.dispose()
    assert sorted(runs) == [[], [], [], [1]]


def test_cut_connections_are_replaced_without_an_error(app: Flask, mariadb: MariaDb) -> None:
    assert post(app, person(1)).status_code == 201
    mariadb.cut_connections()
    assert post(app, person(2)).status_code == 201


def test_a_killed_database_is_answered_with_503_and_survived(
    server: Server, mariadb: MariaDb
) -> None:
    assert server.register(person(1)).status_code == 201
    mariadb.kill()
    try:
        response = server.register(person(2))
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "database_unavailable"
        assert int(response.headers["Retry-After"]) > 0
        assert server.health().status_code == 200
    finally:
        mariadb.start()
    assert recovery_seconds(server) < RECOVERY_SECONDS
    assert server.register(person(1)).status_code == 200
    assert server.process.poll() is None


def test_a_server_that_became_read_only_is_left_for_the_new_primary(
    server: Server, mariadb: MariaDb
) -> None:
    assert server.register(person(1)).status_code == 201
    mariadb.sql("SET GLOBAL read_only = 1")
    assert server.register(person(2)).status_code == 503
    mariadb.sql("SET GLOBAL read_only = 0")
    assert recovery_seconds(server) < RECOVERY_SECONDS


def test_a_silent_network_never_hangs_a_request(
    environ: dict[str, str], mariadb: MariaDb, tmp_path: Path
) -> None:
    with run_proxy(mariadb.port) as proxy:
        through_proxy = {**environ, "DB_PORT": str(proxy.port)}
        with run_server(through_proxy, tmp_path) as server, ThreadPoolExecutor(20) as pool:
            assert server.register(person(1)).status_code == 201
            proxy.silent = True
            started = time.monotonic()
            answers = [pool.submit(server.register, person(number)) for number in range(2, 22)]
            while not all(answer.done() for answer in answers):
                asked = time.monotonic()
                assert server.health().status_code == 200
                assert time.monotonic() - asked < 1
                time.sleep(0.2)
            assert time.monotonic() - started < LONGEST_SECONDS
            assert {answer.result().status_code for answer in answers} == {503}
            proxy.silent = False
            assert recovery_seconds(server) < RECOVERY_SECONDS


def test_a_registration_whose_commit_was_not_acknowledged_is_stored_once(
    mariadb: MariaDb,
) -> None:
    with run_proxy(mariadb.port) as proxy:
        app = create_app(Settings(through(mariadb.settings(), proxy.port)))
        assert post(app, person(1)).status_code == 201
        proxy.cut_after_replies(0)  # the INSERT arrives, its answer does not
        response = post(app, person(2))
        assert proxy.cuts == {Cut.ANSWER: 1}
    assert response.status_code == 201
    ids = mariadb.sql("SELECT id FROM users WHERE email = 'person2@example.com'").split()
    assert ids == [response.get_json()["id"]]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_rotated_password_is_picked_up_without_a_restart(
    server: Server, mariadb: MariaDb, aws: Aws, *, as_json: bool
) -> None:
    assert server.register(person(1)).status_code == 201
    rotated = "rotated-€-password"
    secret = json.dumps({"username": USER, "password": rotated}) if as_json else rotated
    aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=secret)
    mariadb.set_password(rotated)
    assert [server.register(person(number)).status_code for number in range(2, 12)] == [201] * 10
    assert "rotated-" not in server.log.read_text()
    said = "the database password was rotated: read it again"
    assert said in [line["message"] for line in server.log_lines()]


def test_a_password_that_is_wrong_for_good_is_answered_with_503(
    server: Server, mariadb: MariaDb
) -> None:
    assert server.register(person(1)).status_code == 201
    mariadb.set_password("nobody told the secret")
    assert {server.register(person(number)).status_code for number in range(2, 6)} == {503}
    assert server.health().status_code == 200


def refusal(settings: MySqlSettings) -> str:
    database = Database(make_engine(settings, time.monotonic), time.monotonic)
    with pytest.raises(DatabaseRefusedError) as caught:
        database.check_at_start()
    return str(caught.value)


def test_another_authority_is_not_trusted(mariadb: MariaDb) -> None:
    other = issue(["127.0.0.1"], datetime.now(UTC)).authority
    settings = dataclasses.replace(mariadb.settings(), tls=Tls(ca_pem=other))
    assert "not trusted" in refusal(settings)


def test_without_our_authority_the_authorities_of_rds_do_not_trust_it(mariadb: MariaDb) -> None:
    assert "not trusted" in refusal(dataclasses.replace(mariadb.settings(), tls=Tls()))


def test_a_certificate_for_another_name_is_not_trusted(mariadb: MariaDb) -> None:
    settings = dataclasses.replace(mariadb.settings(), host="localhost")
    assert "not trusted" in refusal(settings)


def test_an_unknown_database_or_user_is_refused_at_the_start(mariadb: MariaDb) -> None:
    unknown = dataclasses.replace(mariadb.settings(), name="nowhere")
    assert "refused the user or the database name" in refusal(unknown)


def test_a_server_without_tls_is_refused_unless_asked_for(engine_client: DockerClient) -> None:
    with run_mariadb(engine_client, tls=False) as plain:
        assert "offers no TLS" in refusal(plain.settings())
        settings = dataclasses.replace(plain.settings(), tls=Tls(verify=False))
        engine = make_engine(settings, time.monotonic)
        assert migrate(engine) == [1]
        engine.dispose()


def test_the_process_does_not_start_without_trust_and_says_so(
    environ: dict[str, str], tmp_path: Path
) -> None:
    server = launch({**environ, "DB_CA_PEM": "", "DB_CA_FILE": ""}, tmp_path)
    assert server.process.wait(20) == 1
    last = server.log_lines()[-1]
    assert last["level"] == "critical"
    assert "DB_CA_PEM" in last["message"]
