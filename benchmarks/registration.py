"""The registration service beside the same work in Express: throughput, p99, memory, stalls.

16 connections register another person with each request, on a MariaDB with TLS on this machine, in
turn against our image, Express with a pool, and the service as the notes have it (four AWS calls
and a new connection for each request). Needs `wrk`, Node.js with npm, and a Docker engine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import docker

from benchmarks.registration_sides import (
    EXPRESS,
    Side,
    build,
    node_service,
    our_service,
    surroundings,
)
from benchmarks.stalled import BEGINNINGS, slowest_health, stalled_clients

if TYPE_CHECKING:
    from docker.client import DockerClient
    from docker.models.images import Image

_SCRIPT = Path(__file__).parent / "register.lua"
_CONNECTIONS = 16
_STALLED = 200
_SECONDS = 3
_ROUNDS = 9
_STARTS = 5

_TIMES_EXPRESS = 1.3
_TIMES_DOCUMENTED = 10.0
_MOST_MEMORY_BYTES = 150_000_000
_MOST_READY_SECONDS = 2.0
_MOST_HEALTH_SECONDS = 1.0
_KEPT_WHILE_STALLED = 0.8


@dataclass
class Load:
    """What one side did under load, a figure for each round."""

    name: str
    requests_per_second: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def rate(self) -> float:
        """The median of the requests per second."""
        return statistics.median(self.requests_per_second)

    @property
    def p99(self) -> float:
        """The median of the 99th percentiles, in milliseconds."""
        return statistics.median(self.p99_ms)

    def text(self) -> str:
        """Say the medians."""
        return (
            f"{self.name} {self.rate:.0f} requests/s ({min(self.requests_per_second):.0f}-"
            f"{max(self.requests_per_second):.0f}; {statistics.median(self.cpu_us):.0f} us of"
            f" processor each, {self.failed} failed)"
        )


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Give the median of the ratios of each round: what else the machine did then, hit both."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Verdict:
    """One thing that was asked for, and whether it was found."""

    found: str
    target: str
    met: bool

    def line(self) -> str:
        """Say the figures in one line."""
        verdict = "met" if self.met else "MISSED"
        return f"registrations: {self.found}, target {self.target}: {verdict}"


def compare() -> list[Verdict]:
    """Measure the three in turn, so that a machine that slows down slows all."""
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=EXPRESS, check=True)
    engine = docker.from_env()
    with surroundings(engine) as environ:
        image = build(engine)
        verdicts = [_ready(engine, image, environ)]
        with ExitStack() as stack:
            ours = stack.enter_context(our_service(engine, image, environ))
            express = stack.enter_context(node_service("server.js", environ))
            documented = stack.enter_context(node_service("documented.js", environ))
            verdicts += _beside(ours, express, documented)
            verdicts += _while_stalled(ours)
            verdicts.append(_memory(ours, express))
    engine.close()
    return verdicts


def _ready(engine: DockerClient, image: Image, environ: dict[str, str]) -> Verdict:
    seconds, processor = [], []
    for _ in range(_STARTS):
        with our_service(engine, image, environ) as side:
            seconds.append(side.ready_seconds)
            processor.append(side.cpu_seconds())
    taken = statistics.median(seconds)
    return Verdict(
        f"ready {taken:.2f} s after the start of the container"
        f" ({min(seconds):.2f}-{max(seconds):.2f}; {statistics.median(processor):.2f} s of"
        " processor)",
        f"at most {_MOST_READY_SECONDS:g} s",
        taken <= _MOST_READY_SECONDS,
    )


def _beside(ours: Side, express: Side, documented: Side) -> list[Verdict]:
    sides = [
        (Load("the service"), ours),
        (Load("Express"), express),
        (Load("as documented"), documented),
    ]
    for round_number in range(_ROUNDS):
        for load, side in sides:
            _put_load(side, f"beside-{round_number}", load)
    mine, theirs, notes = (load for load, _ in sides)
    verdicts = []
    for other, target in ((theirs, _TIMES_EXPRESS), (notes, _TIMES_DOCUMENTED)):
        times = ratio(mine.requests_per_second, other.requests_per_second)
        verdicts.append(
            Verdict(
                f"{_CONNECTIONS} connections, {mine.text()} against {other.text()},"
                f" ratio {times:.2f}",
                f"at least {target:g}",
                times >= target and not mine.failed,
            )
        )
    slower = ratio(mine.p99_ms, theirs.p99_ms)
    verdicts.append(
        Verdict(
            f"p99 {mine.p99:.1f} ms against {theirs.p99:.1f} ms of Express, ratio {slower:.2f}",
            "at most 1",
            slower <= 1,
        )
    )
    return verdicts


def _while_stalled(ours: Side) -> list[Verdict]:
    """Measure with and without stalled clients, in turn."""
    free, beset = Load("without"), Load("with")
    slowest: list[float] = []
    for round_number in range(_ROUNDS):
        _put_load(ours, f"free-{round_number}", free)
        with stalled_clients(ours.port, _STALLED), slowest_health(ours.port, slowest):
            _put_load(ours, f"beset-{round_number}", beset)
    kept = ratio(beset.requests_per_second, free.requests_per_second)
    who = f"while {_STALLED} clients stall ({', '.join(BEGINNINGS)})"
    return [
        Verdict(
            f"{who}, {beset.rate:.0f} requests/s against {free.rate:.0f} without them,"
            f" {beset.failed} failed, ratio {kept:.2f}",
            f"at least {_KEPT_WHILE_STALLED:g}",
            kept >= _KEPT_WHILE_STALLED and not beset.failed,
        ),
        Verdict(
            f"{who}, the slowest answer of /healthz {max(slowest):.2f} s",
            f"below {_MOST_HEALTH_SECONDS:g} s",
            max(slowest) < _MOST_HEALTH_SECONDS,
        ),
    ]


def _memory(ours: Side, express: Side) -> Verdict:
    mine, theirs = ours.memory_bytes(), express.memory_bytes()
    return Verdict(
        f"memory after the load {mine / 1e6:.0f} MB, of Express {theirs / 1e6:.0f} MB",
        f"at most {_MOST_MEMORY_BYTES / 1e6:.0f} MB",
        mine <= _MOST_MEMORY_BYTES,
    )


def _put_load(side: Side, name: str, load: Load) -> None:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("the benchmark of the service needs wrk: `apt-get install wrk`")
    before = side.cpu_seconds()
    done = subprocess.run(
        [
            *(wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s"),
            *("-s", str(_SCRIPT), f"http://127.0.0.1:{side.port}"),
        ],
        env={**os.environ, "RUN": f"{name}-{side.port}"},
        capture_output=True,
        text=True,
        check=True,
    )
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    requests, microseconds, p99_microseconds, failed = map(int, result.split()[1:])
    load.requests_per_second.append(requests / (microseconds / 1e6))
    load.p99_ms.append(p99_microseconds / 1000)
    load.cpu_us.append((side.cpu_seconds() - before) / requests * 1e6)
    load.failed += failed
