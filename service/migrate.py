"""Brings the database's tables up to date: `python -m service.migrate`.

Safe to repeat, and safe when two run at once. A database that is newer than this code is left
alone, so that a roll-back of the service works.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from service.db import is_unavailable, log_unavailable, make_engine, refusal_of
from service.logs import configure_logging, log
from service.settings import SettingsError, load_settings
from service.users import USERS

MIGRATIONS: Final = Path(__file__).parent / "migrations"
LOCK_SECONDS: Final = 60
WAIT_FOR_DATABASE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0
STATEMENT_SECONDS: Final = 900  # changing a large table takes a while

_FILE_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<title>\w+)\.(?P<dialect>mysql|sqlite)\.sql")


class MigrationError(Exception):
    """The tables are not what the service needs. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step. Its statements must stand being run again.

    MySQL commits each change of a table by itself: a step that was cut off is run from its
    beginning.
    """

    number: int
    title: str
    statements: tuple[str, ...]


def load_migrations(dialect: str) -> list[Migration]:
    """Read the steps for `mysql` or `sqlite`, in order."""
    migrations = []
    for path in sorted(MIGRATIONS.glob(f"*.{dialect}.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named like 0001_title.{dialect}.sql")
        lines = path.read_text(encoding="utf-8").splitlines()
        sql = "\n".join(line for line in lines if not line.startswith("--"))
        statements = tuple(part.strip() for part in sql.split(";\n") if part.strip(" ;\n"))
        migrations.append(Migration(int(match["number"]), match["title"], statements))
    return migrations


def migrate(engine: Engine) -> list[int]:
    """Apply the steps that are missing.

    Returns:
        The numbers applied, in order; empty when there was nothing to do.

    Raises:
        MigrationError: another run holds the lock for too long, or a table `users` of another
            shape is in the way.
        SQLAlchemyError: the database failed.
    """
    applied = []
    with engine.connect() as connection, _locked(connection):
        connection.execute(
            text(
                "CREATE TABLE IF NOT EXISTS schema_version ("
                "version INTEGER NOT NULL PRIMARY KEY, "
                "title VARCHAR(100) NOT NULL, "
                "applied_at VARCHAR(32) NOT NULL)",
            ),
        )
        done = set(connection.execute(text("SELECT version FROM schema_version")).scalars())
        for migration in load_migrations(_dialect(connection)):
            if migration.number in done:
                continue
            for statement in migration.statements:
                connection.execute(text(statement))
            connection.execute(
                text("INSERT INTO schema_version VALUES (:version, :title, :applied_at)"),
                {
                    "version": migration.number,
                    "title": migration.title,
                    "applied_at": datetime.now(UTC).isoformat(timespec="seconds"),
                },
            )
            applied.append(migration.number)
        _check_users(connection)
    return applied


def migrate_when_there(engine: Engine, clock: Callable[[], float]) -> list[int]:
    """Apply the missing steps, and wait for a database that is away for a moment.

    Raises:
        MigrationError: as for `migrate`.
        SQLAlchemyError: the database stayed away, or does not let us in.
    """
    deadline = clock() + WAIT_FOR_DATABASE_SECONDS
    while True:
        try:
            return migrate(engine)
        except SQLAlchemyError as error:
            away = is_unavailable(error) and refusal_of(error) is None
            if not away or clock() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def main() -> int:
    """Run from the command line; the exit code is 0 when the tables are up to date."""
    configure_logging()
    try:
        settings = load_settings(os.environ)
        engine = make_engine(settings.database, time.monotonic, STATEMENT_SECONDS)
        applied = migrate_when_there(engine, time.monotonic)
    except SettingsError as error:
        for problem in error.problems:
            log(logging.CRITICAL, problem)
        return 1
    except MigrationError as error:
        log(logging.CRITICAL, str(error))
        return 1
    except SQLAlchemyError as error:
        log_unavailable(error)
        log(logging.CRITICAL, "the tables were not brought up to date")
        return 1
    log(logging.INFO, "the tables are up to date", applied=applied)
    return 0


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """Keep a second run out until this one has ended, however it ends."""
    if _dialect(connection) == "sqlite":
        connection.execute(text("BEGIN IMMEDIATE"))
        try:
            yield
        except BaseException:
            connection.execute(text("ROLLBACK"))
            raise
        connection.execute(text("COMMIT"))
        return
    # The server frees it when the connection ends. Names are per server, hence the database's.
    lock = "CONCAT('service.migrate.', MD5(DATABASE()))"
    got = connection.execute(text(f"SELECT GET_LOCK({lock}, {LOCK_SECONDS})")).scalar()
    if got != 1:
        raise MigrationError("another migration is running; try again when it has ended")
    try:
        yield
    finally:
        connection.execute(text(f"SELECT RELEASE_LOCK({lock})"))


def _dialect(connection: Connection) -> str:
    return "sqlite" if connection.dialect.name == "sqlite" else "mysql"


def _check_users(connection: Connection) -> None:
    """Make sure that a table that was there before us is one that the service can use."""
    inspector = inspect(connection)
    columns = {column["name"] for column in inspector.get_columns("users")}
    missing = [column.name for column in USERS.columns if column.name not in columns]
    if missing:
        raise MigrationError(
            f"a table users exists without {', '.join(missing)}: rename it, or give the service a "
            "database of its own",
        )
    unique = [index["column_names"] for index in inspector.get_indexes("users") if index["unique"]]
    constraints = inspector.get_unique_constraints("users")
    unique += [list(constraint["column_names"]) for constraint in constraints]
    if ["email"] not in unique:
        raise MigrationError(
            "the table users has no unique key on email, and the service relies on it: "
            "ALTER TABLE users ADD UNIQUE KEY users_email (email)",
        )


if __name__ == "__main__":
    sys.exit(main())
