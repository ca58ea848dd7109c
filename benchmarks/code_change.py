"""A change of one line of code, and what its push costs: time, bytes, and the image's size.

The whole way from the command to the digest that ECR confirms, on a sandbox, where the network
costs nothing: what is left is reading the context, building, and uploading one layer.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.project import copy_project

_ROUNDS = 5
_PORT = 4583
_MOST_SECONDS = 5.0
_MOST_SENT_BYTES = 100_000
_MOST_ADDED_BYTES = 60_000_000


@dataclass(frozen=True)
class CodeChange:
    """What was measured.

    Attributes:
        seconds: of each push, from the command to the digest.
        sent_bytes: of each push.
        added_bytes: what the image has on disk beyond its base.
    """

    seconds: tuple[float, ...]
    sent_bytes: tuple[int, ...]
    added_bytes: int

    def line(self) -> str:
        """Say the figures in one line."""
        taken, sent = statistics.median(self.seconds), max(self.sent_bytes)
        met = (
            taken <= _MOST_SECONDS
            and sent <= _MOST_SENT_BYTES
            and self.added_bytes <= _MOST_ADDED_BYTES
        )
        return (
            f"push after a change of one line: {taken:.2f} s"
            f" ({min(self.seconds):.2f}-{max(self.seconds):.2f}), target at most"
            f" {_MOST_SECONDS:.0f} s; {sent / 1000:.0f} kB sent, target at most"
            f" {_MOST_SENT_BYTES / 1000:.0f} kB; the image adds {self.added_bytes / 1e6:.0f} MB to"
            f" its base, target at most {_MOST_ADDED_BYTES / 1e6:.0f} MB:"
            f" {'met' if met else 'MISSED'}"
        )


def measure_code_change(schoolctl: Path) -> CodeChange:
    """Measure on a sandbox that is brought up for it and taken down after it."""
    with tempfile.TemporaryDirectory() as folder:
        directory = copy_project(Path(folder))
        try:
            _run(schoolctl, directory, "sandbox", "up", "--port", str(_PORT))
            first = _push(schoolctl, directory, "bench-0", "--create-repo")
            seconds, sent = [], []
            for number in range(1, _ROUNDS + 1):
                with (directory / "service" / "app.py").open("a") as code:
                    code.write(f"# {number}\n")
                begun = time.perf_counter()
                pushed = _push(schoolctl, directory, f"bench-{number}")
                seconds.append(time.perf_counter() - begun)
                sent.append(int(str(pushed["sent_bytes"])))
            added = _added_bytes(str(first["image"]))
        finally:
            _run(schoolctl, directory, "sandbox", "down")
    return CodeChange(tuple(seconds), tuple(sent), added)


def _push(schoolctl: Path, directory: Path, tag: str, *more: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(
        _run(schoolctl, directory, "push", "--tag", tag, "--json", *more)
    )
    return told


def _added_bytes(image: str) -> int:
    """Give the size of what the Dockerfile put on the base: the image's layers above it."""
    lines = subprocess.check_output(
        ["docker", "history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", image],
        text=True,
    ).splitlines()
    # The base was imported: one layer at the bottom, which nothing created.
    return sum(int(line.partition(" ")[0]) for line in lines[:-1])


def _run(schoolctl: Path, directory: Path, *args: str) -> str:
    done = subprocess.run(
        [str(schoolctl), "-e", "sandbox", *args],
        cwd=directory,
        env={**os.environ, "DOCKER_CONFIG": str(directory / "docker")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"schoolctl {' '.join(args)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout
