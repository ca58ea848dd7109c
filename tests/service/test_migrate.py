from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect, text

from service.db import make_engine
from service.migrate import MigrationError, load_migrations, migrate
from service.settings import SqliteSettings
from tests.service.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(SqliteSettings(str(tmp_path / "new.db")), time.monotonic)
    yield engine
    engine.dispose()


def run(statement: str, engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text(statement))


def test_a_new_database_gets_its_table(database: Engine) -> None:
    assert migrate(database) == [1]
    columns = [column["name"] for column in inspect(database).get_columns("users")]
    assert columns == ["id", "name", "email", "phone", "program", "created_at"]


def test_a_second_run_has_nothing_to_do(database: Engine) -> None:
    migrate(database)
    assert migrate(database) == []


def test_two_runs_at_once_apply_each_step_once(database: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: migrate(database), range(4)))
    assert sorted(runs) == [[], [], [], [1]]


def test_a_database_that_is_newer_than_the_code_is_left_alone(database: Engine) -> None:
    migrate(database)
    run("INSERT INTO schema_version VALUES (9999, 'later', '2030-01-01')", database)
    assert migrate(database) == []


def test_a_step_that_was_cut_off_is_run_again(database: Engine) -> None:
    migrate(database)
    run("DELETE FROM schema_version", database)
    assert migrate(database) == [1]


def test_a_table_of_another_shape_is_refused_by_its_missing_columns(database: Engine) -> None:
    run("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE)", database)
    with pytest.raises(MigrationError, match="phone, program, created_at"):
        migrate(database)


def test_a_table_without_the_unique_key_is_refused(database: Engine) -> None:
    run("CREATE TABLE users (id, name, email, phone, program, created_at)", database)
    with pytest.raises(MigrationError, match="unique key on email"):
        migrate(database)


def test_both_databases_get_the_same_steps() -> None:
    steps = [[step.number for step in load_migrations(name)] for name in ("mysql", "sqlite")]
    assert steps[0] == steps[1] == list(range(1, len(steps[0]) + 1))


def command(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.migrate"],
        cwd=REPOSITORY,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    result = command({"DATABASE_URL": f"sqlite:///{tmp_path}/new.db"})
    assert result.returncode == 0
    assert '"applied": [1]' in result.stdout
    assert result.stderr == ""


def test_the_command_fails_with_what_is_missing_and_no_traceback() -> None:
    result = command({})
    assert result.returncode == 1
    assert "DB_SECRET_ARN is not set" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
