"""The service as a process of its own, under the server and the settings of the image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.service.mariadb import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 30.0


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

    def stop(self, timeout: float = 30) -> int:
        """Send SIGTERM and give the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)


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
def run_server(environ: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """Run the service until the end of the context; it is ready when the context begins."""
    server = launch(environ, folder)
    try:
        wait_until_ready(server)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def wait_until_ready(server: Server) -> None:
    """Wait until the health check is good."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if server.health().ok:
                return
        except requests.ConnectionError:
            assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
