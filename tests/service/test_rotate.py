"""`python -m service.rotate` against a real MariaDB, ended at every point of its talk with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
from sqlalchemy import text

from service.aws import CURRENT, Login, SecretSource
from service.db import make_engine, open_connection
from service.rotate import RotationError, rotate
from tests.conftest import REGION
from tests.service.mariadb import PASSWORD, USER
from tests.service.proxy import run_proxy
from tests.service.server import REPOSITORY, SECRET, task_environ

if TYPE_CHECKING:
    from pathlib import Path

    from service.db import Connected
    from service.settings import MySqlSettings
    from tests.conftest import Aws
    from tests.service.mariadb import MariaDb

NEW = "canary new € password ' \" \\ %s"
OLD_LOGIN, NEW_LOGIN = Login(USER, PASSWORD), Login(USER, NEW)
_MOST_PIECES = 60


@pytest.fixture
def environ(mariadb: MariaDb, aws: Aws, tmp_path: Path) -> dict[str, str]:
    """Give the environment of a task of the service, in an account with a new password staged."""
    authority = tmp_path / "authority.pem"
    authority.write_text(mariadb.authority)
    environ = task_environ(aws, mariadb.port)
    aws.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString=NEW, VersionStages=["AWSPENDING"]
    )
    return {**environ, "DB_CA_FILE": str(authority)}


def settings_of(mariadb: MariaDb) -> MySqlSettings:
    """Give what a task of the service knows that started before the rotation."""
    return replace(mariadb.settings(OLD_LOGIN), secret=SecretSource(SECRET, REGION))


def run(settings: MySqlSettings) -> bool:
    """Rotate over the given settings; says whether the password was changed."""

    def connect(login: Login) -> Connected:
        return open_connection(settings, login, 5)

    return rotate(OLD_LOGIN, NEW_LOGIN, connect)


def the_service_can_log_in(settings: MySqlSettings) -> bool:
    """Log in as the service does, with no connection left from before."""
    engine = make_engine(settings, time.monotonic)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT 1")).scalar()
    engine.dispose()
    return found == 1


def rotate_process(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it as a task does."""
    return subprocess.run(
        [sys.executable, "-m", "service.rotate"],
        cwd=REPOSITORY,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("arrives", [False, True])
def test_ended_at_any_point_the_service_can_log_in_and_the_next_run_completes(
    mariadb: MariaDb, *, arrives: bool
) -> None:
    settings = settings_of(mariadb)
    changed_by_the_second = []
    for piece in range(1, _MOST_PIECES):
        mariadb.set_password(PASSWORD)
        with run_proxy(mariadb.port) as proxy, suppress(pymysql.MySQLError):
            proxy.end_at(piece, arrives=arrives)
            run(replace(settings, port=proxy.port))
        assert the_service_can_log_in(settings)
        if proxy.sent < piece:
            break  # it ran to its end
        changed_by_the_second.append(run(settings))
        assert the_service_can_log_in(settings)
        open_connection(settings, NEW_LOGIN, 5).close()
    # The change was cut off in some runs, and was through in others. Not before just one piece: TCP
    # cuts the same bytes differently each time.
    assert changed_by_the_second.count(True) > 5
    assert changed_by_the_second.count(False) > 2


def test_a_task_that_starts_between_the_two_writes_can_log_in(
    environ: dict[str, str], mariadb: MariaDb
) -> None:
    assert rotate_process(environ).returncode == 0
    with pytest.raises(pymysql.err.OperationalError, match="1045"):
        open_connection(settings_of(mariadb), OLD_LOGIN, 5)
    assert the_service_can_log_in(settings_of(mariadb))


def test_run_twice_it_says_that_there_was_nothing_left_to_do(
    environ: dict[str, str], mariadb: MariaDb
) -> None:
    first, second = rotate_process(environ), rotate_process(environ)
    assert (first.returncode, second.returncode) == (0, 0)
    assert '"changed": true' in first.stdout
    assert '"changed": false' in second.stdout
    assert "canary" not in first.stdout + first.stderr
    open_connection(settings_of(mariadb), NEW_LOGIN, 5).close()


def test_the_old_password_is_worth_nothing_afterwards(mariadb: MariaDb) -> None:
    assert run(mariadb.settings())
    with pytest.raises(pymysql.err.OperationalError, match="1045"):
        open_connection(mariadb.settings(), OLD_LOGIN, 5)


def test_without_a_staged_password_it_changes_nothing_and_says_so(
    mariadb: MariaDb, aws: Aws, environ: dict[str, str]
) -> None:
    secret = aws.client("secretsmanager")
    staged = pending_version(secret)
    secret.update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSPENDING", RemoveFromVersionId=staged
    )
    done = rotate_process(environ)
    assert done.returncode == 1
    assert "version AWSPENDING of the secret cannot be read: it does not exist" in done.stdout
    assert the_service_can_log_in(settings_of(mariadb))


def test_a_database_that_takes_neither_password_is_named(mariadb: MariaDb) -> None:
    mariadb.set_password("nobody told the secret")
    with pytest.raises(RotationError, match="neither AWSCURRENT nor AWSPENDING"):
        run(mariadb.settings())


def test_another_user_is_refused(mariadb: MariaDb) -> None:
    def connect(login: Login) -> Connected:
        return open_connection(mariadb.settings(), login, 5)

    with pytest.raises(RotationError, match="another user"):
        rotate(OLD_LOGIN, Login("somebody", NEW), connect)


def test_a_database_that_is_away_is_told_without_its_words(
    environ: dict[str, str],
) -> None:
    done = rotate_process({**environ, "DB_PORT": "1"})
    assert done.returncode == 1
    assert "the database failed" in done.stdout
    assert "canary" not in done.stdout + done.stderr


def pending_version(secret: Any) -> str:
    """Give the id of the staged version."""
    stages = secret.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
    return str(next(key for key, value in stages.items() if CURRENT not in value))
