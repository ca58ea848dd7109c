"""The registration service beside the same work in Express: requests a second, p99, memory.

16 connections register another person with each request, on a MariaDB with TLS on this machine, in
turn against our service, Express with a pool, and the service as the notes have it (four AWS calls
and a new connection for each request). Needs `wrk`, Node.js with npm, and a Docker engine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import docker

from tests.service.mariadb import DATABASE, PASSWORD, USER, free_port, run_mariadb

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_CONNECTIONS = 16
_SECONDS = 8
_ROUNDS = 3
_READY_SECONDS = 30.0
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}
_TARGETS = {"express": 1.3, "documented": 10.0}
_MOST_MEMORY_BYTES = 150_000_000


@dataclass
class Load:
    """What one side did, a figure for each round."""

    name: str
    requests_per_second: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    failed: int = 0
    memory_bytes: int = 0

    def text(self) -> str:
        """Say the medians."""
        return (
            f"{self.name} {statistics.median(self.requests_per_second):.0f} requests/s,"
            f" p99 {statistics.median(self.p99_ms):.0f} ms, {self.failed} failed,"
            f" {self.memory_bytes / 1e6:.0f} MB"
        )


@dataclass(frozen=True)
class Registration:
    """Our service beside the others."""

    ours: Load
    others: tuple[Load, ...]

    def line(self) -> str:
        """Say the figures in one line."""
        parts = [self.ours.text()]
        mine = statistics.median(self.ours.requests_per_second)
        for other in self.others:
            ratio = mine / statistics.median(other.requests_per_second)
            target = _TARGETS[other.name]
            verdict = "met" if ratio >= target else "MISSED"
            parts.append(
                f"{other.text()}, ratio {ratio:.2f}, target at least {target:g}: {verdict}"
            )
        memory = "met" if self.ours.memory_bytes <= _MOST_MEMORY_BYTES else "MISSED"
        parts.append(f"memory at most {_MOST_MEMORY_BYTES / 1e6:.0f} MB: {memory}")
        return f"registrations, {_CONNECTIONS} connections: " + "; ".join(parts)


def compare() -> Registration:
    """Measure the three in turn, so that a machine that slows down slows all."""
    express = _HERE / "express"
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=express, check=True)
    gunicorn = (sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_conf")
    commands = {
        "service": (gunicorn, _ROOT),
        "express": (("node", "server.js"), express),
        "documented": (("node", "documented.js"), express),
    }
    with ExitStack() as stack:
        environ = stack.enter_context(_surroundings())
        sides = {
            name: stack.enter_context(_server(command, folder, environ))
            for name, (command, folder) in commands.items()
        }
        loads = {name: Load(name) for name in sides}
        for round_number in range(_ROUNDS):
            for name, (process, port) in sides.items():
                _put_load(port, f"{name}-{round_number}", loads[name])
                loads[name].memory_bytes = max(loads[name].memory_bytes, _memory(process.pid))
    ours, *others = loads.values()
    return Registration(ours, tuple(others))


@contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """Run the database and what stands for AWS; gives the environment that leads to both."""
    engine = docker.from_env()
    with run_mariadb(engine) as database, _aws() as endpoint:
        authority = _HERE / "express" / "ca.pem"
        authority.write_text(database.authority)
        session = boto3.Session("bench", "bench", region_name=_KEYS["AWS_REGION"])
        ssm = session.client("ssm", endpoint_url=endpoint)
        secrets = session.client("secretsmanager", endpoint_url=endpoint)
        for path, value in (("host", "127.0.0.1"), ("name", DATABASE), ("user", USER)):
            ssm.put_parameter(Name=f"/bench/{path}", Value=value, Type="SecureString")
        arn = secrets.create_secret(Name="bench", SecretString=PASSWORD)["ARN"]
        environ = {
            **os.environ,
            **_KEYS,
            "AWS_ENDPOINT_URL": endpoint,
            "PARAM_HOST_PATH": "/bench/host",
            "PARAM_DB_NAME_PATH": "/bench/name",
            "PARAM_USER_PATH": "/bench/user",
            "DB_SECRET_ARN": arn,
            "DB_PORT": str(database.port),
            "DB_CA_FILE": str(authority),
            "RATE_LIMIT": "999999999/second",
            # What Express is told at its start, as its authors would read it there.
            "DB_CA": str(authority),
            "DB_HOST": "127.0.0.1",
            "DB_NAME": DATABASE,
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
            "NODE_ENV": "production",
        }
        migrate = [sys.executable, "-m", "service.migrate"]
        subprocess.run(migrate, env=environ, check=True, cwd=_ROOT, stdout=subprocess.DEVNULL)
        yield environ
        authority.unlink()


@contextmanager
def _aws() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/moto-api/")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def _server(
    command: tuple[str, ...], folder: Path, environ: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    end = time.monotonic() + _READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # this machine's
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _put_load(port: int, name: str, load: Load) -> None:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("the benchmark of the service needs wrk: `apt-get install wrk`")
    done = subprocess.run(
        [
            *(wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s"),
            *("-s", str(_HERE / "register.lua"), f"http://127.0.0.1:{port}"),
        ],
        env={**os.environ, "RUN": name},
        capture_output=True,
        text=True,
        check=True,
    )
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    requests, microseconds, p99_microseconds, failed = map(int, result.split()[1:])
    load.requests_per_second.append(requests / (microseconds / 1e6))
    load.p99_ms.append(p99_microseconds / 1000)
    load.failed += failed


def _memory(pid: int) -> int:
    """Give the memory of a process and its children, what they share counted once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for each in (str(pid), *children):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        total += int(line.split()[1]) * 1024
    return total
