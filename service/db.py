"""The pool of database connections: time-outs, recovery, and one kind of failure."""

import logging
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

import pymysql
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.aws import Login
from service.budget import Budget
from service.credentials import Credentials
from service.errors import DatabaseUnavailableError
from service.logs import log
from service.settings import MySqlSettings, SqliteSettings

Result = TypeVar("Result")
Connected: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"

# Together they keep a request below ten seconds, whatever the network swallows: a wait for a
# connection of the pool, the ping of a dead one, the handshake of a new one.
CONNECT_TIMEOUT_SECONDS: Final = 2
READ_TIMEOUT_SECONDS: Final = 3
POOL_TIMEOUT_SECONDS: Final = 2
LOCK_WAIT_SECONDS: Final = 2
RETRY_WITHIN_SECONDS: Final = 3.0
# Below the idle time-outs of NAT gateways and load balancers (350 s).
RECYCLE_SECONDS: Final = 300

ACCESS_DENIED: Final = 1045
NO_SUCH_TABLE: Final = 1146
# Answers of a server that is shutting down, or no longer the primary. SQLAlchemy takes them for
# errors of the statement, and would keep talking to it.
_SERVER_GONE: Final = frozenset({1053, 1290, 1792, 1836, 3100})
_DEADLOCK: Final = 1213
# Nothing that waiting would heal: access denied (user, database), unknown database.
_REFUSED: Final = frozenset({ACCESS_DENIED, 1044, 1049})
_NO_TLS: Final = 2026
_NEEDS_TLS: Final = 2061  # the client's number for a failed authentication plugin


class DatabaseRefusedError(Exception):
    """The database cannot be used as configured; trying again will not help. Quotes no value."""


class Database:
    """The database as the service uses it: operations that either succeed or say 503."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._answered = False

    @property
    def answered(self) -> bool:
        """Whether the registrations could be read at least once since the start."""
        return self._answered

    def run(self, operation: Callable[[Connection], Result]) -> Result:
        """Run an operation on a connection, a second time if the first connection was lost.

        Each statement commits itself. `operation` must be safe to run twice: a connection may
        break after the server committed and before it said so.

        Raises:
            DatabaseUnavailableError: the database is away, or not ready for us.
            IntegrityError: a unique key refused a row.
        """
        started = self._clock()
        try:
            try:
                return self._attempt(operation)
            except DBAPIError as error:
                if not self._worth_repeating(error, started):
                    raise
            return self._attempt(operation)
        except SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            log_unavailable(error)
            raise DatabaseUnavailableError from None

    def check(self) -> None:
        """Find out whether registrations can be read, and remember if so.

        Raises:
            DatabaseUnavailableError: not now.
        """
        self.run(_read_one)

    def check_at_start(self, connections: int = 0) -> None:
        """Connect for the first time; leaves no connection open, so that workers may be forked.

        A database that is merely away is logged: the service comes up and waits for it.

        Args:
            connections: how many all processes of this task may open; 0 where nothing limits them.

        Raises:
            DatabaseRefusedError: no trust in the server's certificate, no TLS there, access
                denied, no such database, or not enough connections there.
        """
        try:
            self._attempt(_read_one)
            if connections:
                _check_budget(Budget(connections, self._attempt(_read_limit)))
        except SQLAlchemyError as error:
            refusal = refusal_of(error)
            if refusal is not None:
                raise DatabaseRefusedError(refusal) from None
            log_unavailable(error)
        finally:
            self._engine.dispose()

    def _attempt(self, operation: Callable[[Connection], Result]) -> Result:
        with self._engine.connect() as connection:
            result = operation(connection)
        self._answered = True
        return result

    def _worth_repeating(self, error: DBAPIError, started: float) -> bool:
        lost = error.connection_invalidated or error_code(error) == _DEADLOCK
        return lost and self._clock() - started <= RETRY_WITHIN_SECONDS


def _read_one(connection: Connection) -> None:
    # Not SELECT 1: a service whose table is missing must not count as ready.
    connection.execute(text("SELECT id FROM users LIMIT 1")).all()


def _read_limit(connection: Connection) -> int:
    limits = connection.execute(
        text("SELECT @@global.max_connections, @@session.max_user_connections")
    ).one()
    # 0 means that the user has no limit of its own.
    return min(int(limit) for limit in limits if limit)


def _check_budget(budget: Budget) -> None:
    problem = budget.problem()
    if problem is not None:
        raise DatabaseRefusedError(problem)
    log(
        logging.INFO,
        "database connections",
        each_task=budget.each_task,
        limit=budget.limit,
        tasks_at_most=budget.tasks_at_most,
    )


def make_engine(
    settings: MySqlSettings | SqliteSettings,
    clock: Callable[[], float],
    read_timeout_seconds: int = READ_TIMEOUT_SECONDS,
) -> Engine:
    """Make the engine for a database. Nothing is connected yet.

    Args:
        settings: where the database is.
        clock: seconds, monotonic; for the pause between two readings of the password.
        read_timeout_seconds: how long one statement may take.
    """
    if isinstance(settings, SqliteSettings):
        # AUTOCOMMIT: a registration is one INSERT, which is a transaction by itself.
        return create_engine(
            f"sqlite:///{settings.path}",
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )
    credentials = Credentials(settings.login, settings.read_logins, clock)
    engine = create_engine(
        "mysql+pymysql://",
        creator=_connector(settings, credentials, read_timeout_seconds),
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        # No ping before each use: an operation is safe to run twice, and does so where the first
        # connection turns out to be dead; that drops every connection made before it.
        pool_pre_ping=False,
        pool_size=settings.pool.size,
        max_overflow=settings.pool.overflow,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _mark_server_gone)
    return engine


def error_code(error: DBAPIError) -> int | None:
    """Give MySQL's number of an error, or None where there is none."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def is_unavailable(error: SQLAlchemyError) -> bool:
    """Tell a database that cannot serve now from a statement that is wrong."""
    if isinstance(error, ProgrammingError):
        return error_code(error) == NO_SUCH_TABLE
    return isinstance(error, OperationalError | InterfaceError | InternalError | PoolTimeoutError)


def refusal_of(error: SQLAlchemyError) -> str | None:
    """Say why trying again will not help, or None when it may."""
    if not isinstance(error, DBAPIError):
        return None
    cause = getattr(error.orig, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the database's certificate is not trusted ({cause.verify_message}): set DB_CA_FILE "
            "or DB_CA_PEM to its authority, and the database host to a name in the certificate"
        )
    code = error_code(error)
    if code == _NO_TLS:
        return "the database offers no TLS: turn it on there, or set DB_TLS=off knowingly"
    if code == _NEEDS_TLS:
        return "this database user can only log in over TLS: set DB_TLS=verify"
    if code in _REFUSED:
        return (
            f"the database refused the user or the database name (error {code}): compare the "
            "parameters and the secret with the database"
        )
    return None


def log_unavailable(error: SQLAlchemyError) -> None:
    """Log why the database cannot be used, without its own words: they may quote values."""
    code = error_code(error) if isinstance(error, DBAPIError) else None
    cause = error.orig if isinstance(error, DBAPIError) else error
    hint = refusal_of(error)
    if code == NO_SUCH_TABLE or "no such table" in str(cause):
        hint = "the table users does not exist: run `python -m service.migrate`"
    if isinstance(error, PoolTimeoutError):
        hint = "all connections are in use: raise DB_POOL_SIZE, or look for slow statements"
    kind = type(getattr(cause, "original_exception", None) or cause).__name__
    log(logging.ERROR, "the database is not available", error=kind, number=code, hint=hint)


def open_connection(
    settings: MySqlSettings,
    login: Login,
    read_timeout_seconds: int,
    context: ssl.SSLContext | None = None,
) -> Connected:
    """Open one connection.

    Args:
        settings: where the database is.
        login: as whom.
        read_timeout_seconds: how long one statement may take.
        context: for TLS, where it was made before.

    Raises:
        pymysql.MySQLError: the database refused, or did not answer.
    """
    context = context or settings.tls.context()
    try:
        return pymysql.connect(
            host=settings.host,
            port=settings.port,
            user=login.user,
            # As bytes: PyMySQL would encode text as Latin-1 and fail on a euro sign.
            password=login.password.encode(),
            database=settings.name,
            charset="utf8mb4",
            # A context of ours: with the file's name alone PyMySQL verifies nothing.
            ssl=context,
            ssl_disabled=context is None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout_seconds,
            write_timeout=read_timeout_seconds,
            autocommit=True,
            init_command=(
                "SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00', "
                f"innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}"
            ),
        )
    except RuntimeError:
        # PyMySQL asks for the package `cryptography` here, to send a password without TLS.
        raise pymysql.err.OperationalError(_NEEDS_TLS, "TLS needed") from None


def _connector(
    settings: MySqlSettings,
    credentials: Credentials,
    read_timeout_seconds: int,
) -> Callable[[], Connected]:
    context = settings.tls.context()

    def connect() -> Connected:
        login = credentials.current()
        try:
            return open_connection(settings, login, read_timeout_seconds, context)
        except pymysql.err.OperationalError as error:
            if error.args[0] != ACCESS_DENIED:
                raise
            # The password may have been rotated since it was read.
            fresh = credentials.refresh(login)
            if fresh == login:
                raise
            return open_connection(settings, fresh, read_timeout_seconds, context)

    return connect


def _mark_server_gone(context: ExceptionContext) -> None:
    """Have the pool drop its connections to a server that can no longer serve us."""
    arguments = context.original_exception.args
    if arguments and arguments[0] in _SERVER_GONE:
        context.is_disconnect = True
