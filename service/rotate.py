"""Gives the database user the password that is being rotated in: `python -m service.rotate`.

Whoever rotates the password stores the new one under AWSPENDING first, runs this, and calls it
AWSCURRENT when this has ended with 0. It may be killed at any point and run again: what has been
done by then is found by trying the new password. It needs no right but that of every user, to
change the own password.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pymysql

from service.aws import CURRENT, PENDING, START_ATTEMPTS, AwsReadError, Login, read_login
from service.db import ACCESS_DENIED, open_connection
from service.logs import configure_logging, log
from service.settings import MySqlSettings, SettingsError, load_settings

if TYPE_CHECKING:
    from service.db import Connected

STATEMENT_SECONDS: Final = 30


class RotationError(Exception):
    """The password could not be changed. The text says what to do, and quotes no value."""


def rotate(current: Login, pending: Login, connect: Callable[[Login], "Connected"]) -> bool:
    """Make the database take the pending password.

    Args:
        current: the login that worked so far.
        pending: the login that is to work from now on.
        connect: opens a connection with a login.

    Returns:
        False where the database had taken it before.

    Raises:
        RotationError: the two are of different users, or the database refuses both.
        pymysql.MySQLError: the database failed.
    """
    if current.user != pending.user:
        raise RotationError(
            "AWSPENDING is of another user than AWSCURRENT: only the password can be changed"
        )
    if _works(pending, connect):
        return False
    try:
        connection = connect(current)
    except pymysql.err.OperationalError as error:
        if error.args[0] != ACCESS_DENIED:
            raise
        raise RotationError(
            "the database takes neither AWSCURRENT nor AWSPENDING: give the secret the password"
            " that the database has"
        ) from None
    with connection, connection.cursor() as cursor:
        # MariaDB takes a hash here, and MySQL 8 the password itself.
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone() or ("",)
        new = "PASSWORD(%s)" if "MariaDB" in version else "%s"
        cursor.execute(f"SET PASSWORD = {new}", [pending.password])
    if not _works(pending, connect):
        raise RotationError("the database did not take the new password")
    return True


def _works(login: Login, connect: Callable[[Login], "Connected"]) -> bool:
    try:
        connect(login).close()
    except pymysql.err.OperationalError as error:
        if error.args[0] != ACCESS_DENIED:
            raise
        return False
    return True


def main() -> int:
    """Run for the database that the environment names; gives the exit code."""
    configure_logging()
    try:
        database = load_settings(os.environ).database
        if not isinstance(database, MySqlSettings):
            raise RotationError("SQLite has no password")  # noqa: TRY301 - one place says it all
        pending = _read(database, PENDING)
        changed = rotate(
            _read(database, CURRENT),
            pending,
            lambda login: open_connection(database, login, STATEMENT_SECONDS),
        )
    except SettingsError as error:
        for problem in error.problems:
            log(logging.CRITICAL, problem)
        return 1
    except RotationError as error:
        log(logging.CRITICAL, str(error))
        return 1
    except pymysql.MySQLError as error:
        # Without its own words: they may quote what was sent.
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        log(logging.CRITICAL, "the database failed", error=type(error).__name__, number=number)
        return 1
    log(logging.INFO, "the database takes the new password", changed=changed)
    return 0


def _read(database: MySqlSettings, stage: str) -> Login:
    try:
        return read_login(
            database.secret, database.login.user, attempts=START_ATTEMPTS, stage=stage
        )
    except AwsReadError as error:
        raise RotationError(f"version {stage} of the secret cannot be read: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
