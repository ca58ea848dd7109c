"""`secrets rotate` is killed at each of its calls, and the service can log in to its database.

The database is a real MariaDB, and the task that changes its password does so for real.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import docker
import pytest
from sqlalchemy import text

from service.aws import CURRENT, PENDING, AwsReadError, Login, SecretSource, read_login
from service.db import make_engine, open_connection
from service.rotate import rotate
from service.settings import MySqlSettings
from service.tls import Tls
from tests.conftest import REGION
from tests.faults import Call, kill_after, kill_before, lose_reply
from tests.matrix.world import World
from tests.service.mariadb import DATABASE, USER, MariaDb, run_mariadb
from tests.worlds.account import NAME, edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.db import Connected
    from tests.faults import Rule
    from tests.matrix.emulator import Emulator
    from tests.matrix.world import Finished

SECRET = "schoolapp/dev/db_password"
WORDS = ("secrets", "rotate", "db_password", "--json")
_POLLED = {"DescribeTasks": 2, "GetLogEvents": 1, "ListTasks": 1}
_READS = ("Describe", "Get", "List", "BatchGet")

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    """Give a MariaDB with TLS."""
    client = docker.from_env()
    with run_mariadb(client) as server:
        yield server
    client.close()


class School:
    """A world whose secret is that of a real database."""

    def __init__(self, world: World, mariadb: MariaDb) -> None:
        self.world, self._mariadb = world, mariadb
        edit(
            world.directory,
            "db_password: {",
            "db_password: {rotate_command: [rotate], ",
        )
        world.account.register("1.0", "2026-11-02T08:01:00Z")
        world.serve(f"{NAME}:1")
        mariadb.set_password("canary-secret")
        world.faults.rewrite("RunTask", self._run_task)

    def rotate(self) -> Finished:
        """Run the command."""
        return self.world.run(*WORDS)

    def login(self, stage: str = CURRENT) -> Login:
        """Read the login as the service does."""
        return read_login(SecretSource(SECRET, REGION), USER, attempts=3, stage=stage)

    def settings(self, login: Login) -> MySqlSettings:
        """Give what a task knows that read `login` at its start."""
        return MySqlSettings(
            host="127.0.0.1",
            port=self._mariadb.port,
            name=DATABASE,
            login=login,
            secret=SecretSource(SECRET, REGION),
            tls=Tls(ca_pem=self._mariadb.authority),
        )

    def connect(self, login: Login) -> Connected:
        """Log in with just this login."""
        return open_connection(self.settings(login), login, 5)

    def service_can_log_in(self, login: Login) -> bool:
        """Log in with the service's own code, as a task that read `login` at its start."""
        engine = make_engine(self.settings(login), time.monotonic)
        with engine.connect() as connection:
            found = connection.execute(text("SELECT 1")).scalar()
        engine.dispose()
        return found == 1

    def is_pending(self) -> bool:
        """Say whether a password is staged."""
        try:
            self.login(PENDING)
        except AwsReadError:
            return False
        return True

    def _run_task(self, content: bytes) -> bytes:
        rotate(self.login(), self.login(PENDING), self.connect)
        return self.world._end_at_once(content)  # noqa: SLF001  # as every world's tasks end


@pytest.fixture
def school(
    emulator: Emulator, tmp_path: Path, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> Iterator[School]:
    """Give such a world; this process reads its secret as a task of it does."""
    world = World(emulator, tmp_path / "world")
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.aws.account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    yield School(world, mariadb)
    world.close()


def undisturbed(school: School) -> list[Call]:
    """Rotate with nothing happening; gives the calls."""
    before = school.login()
    done = school.rotate()
    assert done.code == 0, done
    assert done.document["verdict"] == "rotated"
    assert school.login() != before
    assert school.service_can_log_in(before)
    calls = school.world.faults.numbered()
    return [each for each in calls if each.nth <= _POLLED.get(each.operation, each.nth)]


@pytest.mark.parametrize("which", ["changing", pytest.param("all", marks=pytest.mark.faults)])
def test_killed_at_any_call_the_service_can_log_in_and_the_next_run_completes(
    school: School, which: str, record_property: Callable[[str, object], None]
) -> None:
    calls = undisturbed(school)
    if which == "changing":
        calls = [each for each in calls if not each.operation.startswith(_READS)]
    assert {"PutSecretValue", "RunTask", "UpdateSecretVersionStage"} <= {
        each.operation for each in calls
    }
    for call in calls:
        for rule in (kill_before, kill_after):
            _kill(school, call, rule)
    record_property("cases", 2 * len(calls))


def _kill(school: School, call: Call, rule: Rule) -> None:
    before = school.login()
    school.world.faults.at(call, rule)
    killed = school.rotate()
    school.world.faults.heal()
    case = f"{rule.__name__} {call}"
    assert killed.code == -signal.SIGKILL, f"{case}: {killed}"
    # As a task that ran all the time, and as one that starts now.
    assert school.service_can_log_in(before), case
    assert school.service_can_log_in(school.login()), case

    done = school.rotate()
    assert done.code == 0, f"{case}: {done}"
    after = school.login()
    assert after != before, case
    school.connect(after).close()
    assert not school.is_pending(), case


def test_a_reply_that_is_lost_is_no_failure(school: School) -> None:
    changing = ("PutSecretValue", "RunTask", "UpdateSecretVersionStage")
    calls = [each for each in undisturbed(school) if each.operation in changing]
    assert len(calls) == 4
    for call in calls:
        before = school.login()
        school.world.faults.at(call, lose_reply)
        done = school.rotate()
        school.world.faults.heal()
        assert done.code == 0, f"{call}: {done}"
        assert school.login() != before
        school.connect(school.login()).close()
        assert not school.is_pending()


def test_a_run_that_was_cut_off_at_its_end_is_not_repeated(school: School) -> None:
    undisturbed(school)
    school.world.faults.at(Call("DeleteParameter", 1), kill_before)
    assert school.rotate().code == -signal.SIGKILL
    rotated = school.login()
    done = school.rotate()
    assert (done.code, done.document["verdict"]) == (0, "nothing to do")
    assert school.login() == rotated
