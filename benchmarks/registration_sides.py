"""The services that the benchmark of registrations compares, and what they need around them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from benchmarks.project import ROOT
from schoolctl.sandbox.images import default_base, ensure_base
from tests.service.mariadb import DATABASE, PASSWORD, USER, free_port, run_mariadb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient
    from docker.models.images import Image

EXPRESS = Path(__file__).parent / "express"
_IMAGE = "benchmarks/registration"
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.02
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Side:
    """A running service: its first process, its port, and how long it took to become ready."""

    pid: int
    port: int
    ready_seconds: float

    def memory_bytes(self) -> int:
        """Give the memory of all its processes, what they share counted once."""
        total = 0
        for pid in _with_children(self.pid):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
            total += int(line.split()[1]) * 1024
        return total

    def cpu_seconds(self) -> float:
        """Give the processor time that its processes have taken so far."""
        ticks = 0
        for pid in _with_children(self.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def surroundings(engine: DockerClient) -> Iterator[dict[str, str]]:
    """Run the database and what stands for AWS; gives the environment that leads to both."""
    with run_mariadb(engine) as database, _aws() as endpoint:
        session = boto3.Session("bench", "bench", region_name=_KEYS["AWS_REGION"])
        ssm = session.client("ssm", endpoint_url=endpoint)
        secret = session.client("secretsmanager", endpoint_url=endpoint)
        for path, value in (("host", "127.0.0.1"), ("name", DATABASE), ("user", USER)):
            ssm.put_parameter(Name=f"/bench/{path}", Value=value, Type="SecureString")
        environ = {
            **_KEYS,
            "AWS_ENDPOINT_URL": endpoint,
            "PARAM_HOST_PATH": "/bench/host",
            "PARAM_DB_NAME_PATH": "/bench/name",
            "PARAM_USER_PATH": "/bench/user",
            "DB_SECRET_ARN": secret.create_secret(Name="bench", SecretString=PASSWORD)["ARN"],
            "DB_PORT": str(database.port),
            "DB_CA_PEM": database.authority,
            "RATE_LIMIT": "999999999/second",
            # What Express is told at its start, as its authors would read it there.
            "DB_HOST": "127.0.0.1",
            "DB_NAME": DATABASE,
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
            "NODE_ENV": "production",
        }
        subprocess.run(
            [sys.executable, "-m", "service.migrate"],
            env={**os.environ, **environ},
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        yield environ


def build(engine: DockerClient) -> Image:
    """Build the service's image; its name stays, and with it the builder's cache."""
    ordinary = default_base(ROOT / "Dockerfile")
    assert ordinary is not None
    base = ensure_base(engine, ordinary, lambda _text: None)
    image, _ = engine.images.build(
        path=str(ROOT), tag=_IMAGE, buildargs={"BASE_IMAGE": base}, rm=True, forcerm=True
    )
    return image


@contextmanager
def our_service(engine: DockerClient, image: Image, environ: dict[str, str]) -> Iterator[Side]:
    """Run the image as a task does: not as root, with a read-only root and no capabilities."""
    port = free_port()
    container = engine.containers.create(
        image,
        name=f"benchmark-registration-{secrets.token_hex(4)}",
        environment={**environ, "PORT": str(port)},
        network_mode="host",
        read_only=True,
        user="10001:10001",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        # Its log goes where that of the others goes. `exec`, so that the server is process 1.
        entrypoint=["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh"],
        command=image.attrs["Config"]["Cmd"],
    )
    try:
        begun = time.perf_counter()
        container.start()
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        ready = time.perf_counter() - begun
        container.reload()
        yield Side(container.attrs["State"]["Pid"], port, ready)
    finally:
        container.remove(force=True, v=True)


@contextmanager
def node_service(script: str, environ: dict[str, str]) -> Iterator[Side]:
    """Run one of the services in benchmarks/express."""
    port = free_port()
    begun = time.perf_counter()
    process = subprocess.Popen(
        ["node", script],
        cwd=EXPRESS,
        env={**os.environ, **environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        yield Side(process.pid, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(30)


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


def _wait_for(url: str) -> None:
    end = time.monotonic() + _READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # this machine's
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(_POLL_SECONDS)


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
