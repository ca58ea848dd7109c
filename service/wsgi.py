"""What the WSGI server in the image loads: `service.wsgi:application()`."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import gevent
from flask import Flask
from gunicorn.http.errors import ParseException

from service.app import create_app
from service.body import BODY_DEADLINE_SECONDS, UnreadableBodyError
from service.db import Database, DatabaseRefusedError, make_engine
from service.logs import configure_logging, log
from service.settings import MySqlSettings, SettingsError, load_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def application() -> Flask:
    """Read the settings, look at the database once, and make the application.

    Raises:
        SystemExit: it cannot work as configured; the log says why, line by line.
    """
    configure_logging()
    try:
        settings = load_settings(os.environ)
        database = Database(make_engine(settings.database, time.monotonic), time.monotonic)
        pool = settings.database.pool if isinstance(settings.database, MySqlSettings) else None
        database.check_at_start(settings.processes * (pool.size + pool.overflow) if pool else 0)
    except SettingsError as error:
        for problem in error.problems:
            log(logging.CRITICAL, problem)
        raise SystemExit(1) from None
    except DatabaseRefusedError as error:
        log(logging.CRITICAL, str(error))
        raise SystemExit(1) from None
    if settings.rate_limit is None:
        log(logging.WARNING, "registrations are not limited by client (RATE_LIMIT=off)")
    return create_app(settings, database=database, guard=read_guard)


@contextmanager
def read_guard(environ: "WSGIEnvironment") -> Iterator[None]:
    """Give a body five seconds in all, however slowly it drips, and name gunicorn's errors.

    A socket's time-out would start again with every byte.

    Raises:
        UnreadableBodyError: 408 when the time is over, 400 for malformed chunks.
    """
    timeout = gevent.Timeout(BODY_DEADLINE_SECONDS)
    try:
        with timeout:
            yield
    except gevent.Timeout as fired:
        if fired is not timeout:
            raise
        _stop_reading(environ)
        raise UnreadableBodyError(
            "The body took too long to arrive.",
            "body_timeout",
            HTTPStatus.REQUEST_TIMEOUT,
        ) from None
    except ParseException:
        _stop_reading(environ)
        raise UnreadableBodyError("The body is not well-formed.") from None


def _stop_reading(environ: "WSGIEnvironment") -> None:
    """Have the connection closed after this answer: where its next request begins is unknown."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RD)
