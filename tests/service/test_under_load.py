"""What happens to a service in use: its database away or read-only, a new password, its own end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from service.credentials import MIN_SECONDS_BETWEEN_READS
from tests.service.balancer import run_balancer
from tests.service.conftest import ADA
from tests.service.crowd import Crowd
from tests.service.mariadb import PASSWORD, USER, MariaDb
from tests.service.proxy import run_proxy
from tests.service.server import SECRET, Server, run_server, task_environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Aws
    from tests.faults import Faults

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("service-under-load")]

RECOVERY_SECONDS = 5
LONGEST_SECONDS = 10
WORKERS = 2


@pytest.fixture
def environ(mariadb: MariaDb, aws: Aws) -> dict[str, str]:
    """Give the environment of a task whose account has the database's parameters and secret."""
    return {
        **task_environ(aws, mariadb.port),
        "DB_CA_PEM": mariadb.authority,
        "WEB_CONCURRENCY": str(WORKERS),
    }


@contextmanager
def health_watched(server: Server) -> Iterator[list[tuple[int, float]]]:
    """Ask for the health all the time, as the load balancer does; gives status and seconds."""
    seen: list[tuple[int, float]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            started = time.monotonic()
            try:
                status = server.health().status_code
            except requests.RequestException:
                status = 0
            seen.append((status, time.monotonic() - started))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(4, id="4s"),
        pytest.param(30, id="30s", marks=pytest.mark.soak),
    ],
)
def test_while_its_database_is_away_it_says_503_and_comes_back_by_itself(
    mariadb: MariaDb, environ: dict[str, str], tmp_path: Path, seconds: int
) -> None:
    with run_server(environ, tmp_path) as server, health_watched(server) as health:
        processes = server.processes()
        with Crowd(server.port) as crowd:
            crowd.wait_for(100)
            mariadb.kill()
            away = time.monotonic()
            try:
                time.sleep(seconds)
                answer = server.register({**ADA, "email": "during@example.com"})
            finally:
                mariadb.start()
            back = time.monotonic()
            crowd.wait_for_more(200)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "database_unavailable"
        assert int(answer.headers["Retry-After"]) > 0
        assert set(crowd.statuses()) <= {200, 201, 503}
        assert crowd.all_served_after(back) < RECOVERY_SECONDS
        assert crowd.failed_since(back + RECOVERY_SECONDS) == []
        assert max(each.seconds for each in crowd.answers if each.at > away) < LONGEST_SECONDS
        assert {status for status, _ in health} == {200}
        assert server.processes() >= processes  # none of them ended


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(6, id="6s"),
        pytest.param(60, id="60s", marks=pytest.mark.soak),
    ],
)
def test_a_silent_network_to_its_database_hangs_nothing(
    mariadb: MariaDb, environ: dict[str, str], tmp_path: Path, seconds: int
) -> None:
    """As during a failover of RDS: what was sent vanishes, on old connections and on new ones."""
    with run_proxy(mariadb.port) as proxy:
        through_proxy = {**environ, "DB_PORT": str(proxy.port)}
        with run_server(through_proxy, tmp_path) as server, health_watched(server) as health:
            with Crowd(server.port, clients=32) as crowd:
                crowd.wait_for(100)
                proxy.silent = True
                time.sleep(seconds)
                proxy.silent = False
                proxy.cut_all()
                back = time.monotonic()
                crowd.wait_for_more(200)
            assert set(crowd.statuses()) <= {200, 201, 503}
            assert crowd.statuses()[503] > 0
            assert max(each.seconds for each in crowd.answers) < LONGEST_SECONDS
            assert crowd.all_served_after(back) < RECOVERY_SECONDS
        assert {status for status, _ in health} == {200}
        assert max(took for _, took in health) < 1


def test_a_read_only_primary_is_left_under_load(
    mariadb: MariaDb, environ: dict[str, str], tmp_path: Path
) -> None:
    with run_server(environ, tmp_path) as server, Crowd(server.port) as crowd:
        crowd.wait_for(100)
        before = mariadb.sql("SELECT MAX(id) FROM information_schema.processlist")
        mariadb.sql("SET GLOBAL read_only = 1")
        time.sleep(1)
        assert crowd.answers[-1].status == 503
        mariadb.sql("SET GLOBAL read_only = 0")
        back = time.monotonic()
        crowd.wait_for_more(200)
        # What was connected to the old primary is not used for the new one.
        connected = mariadb.sql("SELECT id, user FROM information_schema.processlist")
    ours = [line.split("\t") for line in connected.splitlines()]
    assert min(int(number) for number, user in ours if user == USER) > int(before)
    assert set(crowd.statuses()) <= {200, 201, 503}
    assert crowd.all_served_after(back) < RECOVERY_SECONDS


def test_a_password_rotated_under_load_costs_no_more_than_a_request_of_each_worker(
    mariadb: MariaDb, environ: dict[str, str], aws: Aws, tmp_path: Path
) -> None:
    rotated = "rotated-€-password"
    with run_server(environ, tmp_path) as server:
        processes = server.processes()
        with Crowd(server.port) as crowd:
            crowd.wait_for(200)
            began = time.monotonic()
            # As Secrets Manager does it: the database first, then the secret; what is connected
            # stays so. Then everything has to connect anew.
            mariadb.sql(f"ALTER USER '{USER}'@'%' IDENTIFIED BY '{rotated}'")
            crowd.wait_for_more(100)
            aws.client("secretsmanager").put_secret_value(
                SecretId=SECRET, SecretString=json.dumps({"username": USER, "password": rotated})
            )
            mariadb.cut_connections()
            crowd.wait_for_more(300)
        assert len(crowd.failed_since(began)) <= WORKERS
        assert server.processes() >= processes  # none of them ended
        assert "rotated-" not in server.log.read_text()


def test_a_password_that_stays_wrong_is_asked_for_at_most_once_in_ten_seconds(
    mariadb: MariaDb, environ: dict[str, str], faults: Faults, tmp_path: Path
) -> None:
    one_worker = {**environ, "WEB_CONCURRENCY": "1", "AWS_ENDPOINT_URL": faults.endpoint_url}
    with run_server(one_worker, tmp_path) as server, Crowd(server.port) as crowd:
        crowd.wait_for(100)
        at_start = len(faults.calls)
        mariadb.set_password("nobody told the secret")
        time.sleep(MIN_SECONDS_BETWEEN_READS + 2)
        # Each time the current version, and one that a rotation may have staged.
        asked = Counter(json.loads(body)["VersionStage"] for body in faults.bodies[at_start:])
        assert set(faults.calls[at_start:]) == {"GetSecretValue"}
        assert max(asked.values()) <= 2
        assert crowd.answers[-1].status == 503
        assert server.health().status_code == 200
        mariadb.set_password(PASSWORD)
        crowd.wait_for_more(100)
    assert set(crowd.statuses()) <= {200, 201, 503}


def test_a_task_that_is_drained_before_sigterm_fails_no_request(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with run_balancer() as balancer, ExitStack() as running:
        old = running.enter_context(run_server(environ, tmp_path))
        balancer.register(old.port)
        with Crowd(balancer.port) as crowd:
            for _ in range(2):
                crowd.wait_for_more(100)
                new = running.enter_context(run_server(environ, tmp_path))
                balancer.register(new.port)
                crowd.wait_for_more(100)
                balancer.drain(old.port)
                assert old.stop() == 0
                old = new
            crowd.wait_for_more(100)
        assert len(balancer.served) == 3
        assert set(crowd.statuses()) == {201}


def test_without_draining_sigterm_fails_no_request_on_an_open_connection(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with run_server(environ, tmp_path) as server, Crowd(server.port) as crowd:
        crowd.wait_for(200)
        assert server.stop() == 0
        stopped = time.monotonic()
        time.sleep(0.2)
    before = [answer for answer in crowd.answers if answer.at < stopped]
    broken = [answer for answer in before if answer.status != 201]
    # What finds nobody listening any more was never accepted, and ends at once.
    assert all(answer.status is None and answer.seconds < 1 for answer in broken)


def test_a_request_that_takes_nearly_five_seconds_is_finished_after_sigterm(
    environ: dict[str, str], tmp_path: Path
) -> None:
    body = json.dumps(ADA).encode()
    head = (
        b"POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with (
        run_server(environ, tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection,
    ):
        connection.sendall(head)
        time.sleep(0.3)
        server.process.terminate()
        started = time.monotonic()
        for piece in range(0, len(body), 20):
            time.sleep(0.6)
            connection.sendall(body[piece : piece + 20])
        assert time.monotonic() - started > 3
        with connection.makefile("rb") as stream:
            assert stream.readline().split()[1] == b"201"
        assert server.process.wait(20) == 0
