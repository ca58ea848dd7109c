"""The service on SQLite in process, and a MariaDB with TLS in a container."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import docker
import pytest

from service.app import create_app
from service.db import make_engine
from service.migrate import migrate
from service.settings import Settings, SqliteSettings
from tests.service.mariadb import MariaDb, run_mariadb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker.client import DockerClient
    from flask.testing import FlaskClient

ADA = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+442079460958",
    "program": "Mathematics",
}


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteSettings:
    """Give a migrated SQLite file."""
    settings = SqliteSettings(str(tmp_path / "service.db"))
    engine = make_engine(settings, time.monotonic)
    migrate(engine)
    engine.dispose()
    return settings


@pytest.fixture
def make_client(sqlite: SqliteSettings) -> Callable[..., FlaskClient]:
    """Give a function that makes a client of the service; takes members of Settings."""

    def make(**settings: Any) -> FlaskClient:
        return create_app(Settings(database=sqlite, **settings)).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """Give a client of the service with its default settings, on SQLite."""
    return make_client()


@pytest.fixture(scope="session")
def engine_client() -> Iterator[DockerClient]:
    """Give a client of the Docker engine."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def _mariadb_server(engine_client: DockerClient) -> Iterator[MariaDb]:
    with run_mariadb(engine_client) as server:
        yield server


@pytest.fixture
def mariadb(_mariadb_server: MariaDb) -> MariaDb:
    """Give a running MariaDB with TLS and an empty, migrated database."""
    _mariadb_server.reset()
    return _mariadb_server
