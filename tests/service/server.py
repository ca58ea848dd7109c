"""The service as a process of its own, under the server and the settings of the image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from service.db import make_engine
from service.migrate import migrate
from service.settings import SqliteSettings
from tests.service.mariadb import DATABASE, PASSWORD, USER, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import Aws

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 30.0
SECRET = "schoolapp/test/db_password"


@dataclass(frozen=True)
class Server:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def register(self, values: Mapping[str, str], timeout: float = 30) -> requests.Response:
        """Send a registration to the API."""
        return requests.post(f"{self.url}/api/register", json=dict(values), timeout=timeout)

    def health(self, timeout: float = 30) -> requests.Response:
        """Ask as the load balancer does."""
        return requests.get(f"{self.url}/healthz", timeout=timeout)

    def log_lines(self) -> list[dict[str, Any]]:
        """Give the log so far; each line must be one JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def processes(self) -> frozenset[int]:
        """Give the ids of the process and of all that came from it."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended meanwhile
                # The name may hold spaces, and stands in parentheses; state and parent follow it.
                parents[int(entry.parent.name)] = int(
                    entry.read_text().rpartition(")")[2].split()[1]
                )
        found = {self.process.pid}
        while more := {each for each, parent in parents.items() if parent in found} - found:
            found |= more
        return frozenset(found)

    def stop(self, timeout: float = 30) -> int:
        """Send SIGTERM and give the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)


def migrated_sqlite(folder: Path) -> dict[str, str]:
    """Make a SQLite database; gives the environment that names it."""
    path = folder / "service.db"
    engine = make_engine(SqliteSettings(str(path)), time.monotonic)
    migrate(engine)
    engine.dispose()
    return {"DATABASE_URL": f"sqlite:///{path}"}


def task_environ(aws: Aws, port: int) -> dict[str, str]:
    """Put the database's parameters and secret into an account; gives the environment of a task."""
    ssm = aws.client("ssm")
    values = {"host": "127.0.0.1", "name": DATABASE, "user": USER}
    for name, value in values.items():
        ssm.put_parameter(Name=f"/schoolapp/test/db_{name}", Value=value, Type="SecureString")
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=PASSWORD)
    return {
        "AWS_REGION": "us-east-1",
        "PARAM_HOST_PATH": "/schoolapp/test/db_host",
        "PARAM_DB_NAME_PATH": "/schoolapp/test/db_name",
        "PARAM_USER_PATH": "/schoolapp/test/db_user",
        "DB_SECRET_ARN": SECRET,
        "DB_PORT": str(port),
        "RATE_LIMIT": "off",
    }


def launch(environ: Mapping[str, str], folder: Path) -> Server:
    """Start the service with these variables beside those of the process; do not wait."""
    port = free_port()
    log = folder / f"service-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_conf"),
                *("--bind", f"127.0.0.1:{port}"),
            ],
            cwd=REPOSITORY,
            env={**os.environ, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Server(process, port, log)


@contextmanager
def run_server(
    environ: Mapping[str, str], folder: Path, *, health: int = HTTPStatus.OK
) -> Iterator[Server]:
    """Run the service until the end of the context.

    When the context begins, the service answers its health check with the given status.
    """
    server = launch(environ, folder)
    try:
        wait_until_ready(server, health)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def wait_until_ready(server: Server, health: int = HTTPStatus.OK) -> None:
    """Wait until the health check is answered with this status."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if server.health().status_code == health:
                return
        except requests.ConnectionError:
            assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
