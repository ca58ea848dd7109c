"""`images list` and `images prune` in a repository of 10,000 images, against the AWS command line.

Both speak to the same moto server, in turn. `aws` lists as it is typed, and deletes 100 images a
call, which is all that ECR takes, one call after another.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from benchmarks.pairs import Pair, measure
from benchmarks.serving import environ_for, expect, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = "schoolapp-backend"
_IMAGES = 10_000
_KEPT = 100
_A_CALL = 100
_MOST_BYTES = 200_000_000
_CONFIG = """\
app: schoolapp
default_environment: dev
image: {repository: schoolapp-backend}
task:
  family: schoolapp-backend
  container: web
  cpu: 256
  memory: 512
  port: 3000
  health_path: /healthz
  execution_role: schoolapp-execution
  task_role: schoolapp-task
  log_group: /ecs/schoolapp-backend
service: {cluster: schoolapp, name: schoolapp-backend, target_group: schoolapp-tg}
environments:
  dev: {region: us-east-1, account: "123456789012"}
"""


@dataclass(frozen=True)
class Memory:
    """The most that one process of ours had at once."""

    most_bytes: int

    def line(self) -> str:
        """Say the figure in one line."""
        verdict = "met" if self.most_bytes <= _MOST_BYTES else "MISSED"
        return (
            f"images list and prune, peak memory: {self.most_bytes / 1e6:.0f} MB,"
            f" target at most {_MOST_BYTES / 1e6:.0f} MB: {verdict}"
        )


class Bench:
    """A project beside a repository, and both ways to list and delete its images."""

    def __init__(self, schoolctl: Path, aws: Path, directory: Path, url: str) -> None:
        self._schoolctl = schoolctl
        self._aws = aws
        self._directory = directory
        self._url = url
        self._environ = environ_for(url)
        self._ids: list[str] = []
        self.most_bytes = 0
        (directory / "schoolctl.yaml").write_text(_CONFIG)

    def fill(self) -> None:
        """Make the repository anew."""
        urllib3.request("POST", f"{self._url}/fill", retries=False)

    def list_ours(self) -> None:
        """List with schoolctl."""
        lines = self._run(self._schoolctl, "images", "list", ours=True)
        expect(len(lines.splitlines()) - 1, _IMAGES)

    def list_theirs(self) -> None:
        """List with aws."""
        told = self._run(self._aws, *self._describe())
        found = [each["imageDigest"] for each in json.loads(told)["imageDetails"]]
        expect(len(found), _IMAGES)
        self._ids = found[: _IMAGES - _KEPT]

    def prune_ours(self) -> None:
        """Delete all but the newest with schoolctl."""
        rules = ("--keep", str(_KEPT), "--older-than", "0d")
        told = self._run(self._schoolctl, "images", "prune", *rules, "--yes", ours=True)
        expect(told.splitlines()[-1], f"deleted {_IMAGES - _KEPT} images")

    def prune_theirs(self) -> None:
        """Delete as many with aws; which ones is known beforehand."""
        for begin in range(0, len(self._ids), _A_CALL):
            batch = [f"imageDigest={each}" for each in self._ids[begin : begin + _A_CALL]]
            command = ("ecr", "batch-delete-image", "--repository-name", _REPOSITORY)
            told = self._run(self._aws, *command, "--output", "json", "--image-ids", *batch)
            expect(len(json.loads(told)["imageIds"]), len(batch))

    def _describe(self) -> tuple[str, ...]:
        return ("ecr", "describe-images", "--repository-name", _REPOSITORY, "--output", "json")

    def _run(self, program: Path, *args: str, ours: bool = False) -> str:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                [program, *args], stdout=out, stderr=err, cwd=self._directory, env=self._environ
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode != 0:
                raise SystemExit(f"{program.name} {' '.join(args[:2])} failed\n{err.read()}")
            if ours:
                self.most_bytes = max(self.most_bytes, usage.ru_maxrss * 1024)
            return out.read()


def compare(schoolctl: Path, aws: Path) -> Iterator[Pair | Memory]:
    """Measure listing and pruning, and how much memory ours took for it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("benchmarks.moto_ecr", str(_IMAGES)) as url,
    ):
        bench = Bench(schoolctl, aws, Path(folder), url)
        yield measure(
            "images list / aws ecr describe-images, 10,000 images",
            bench.list_ours,
            bench.list_theirs,
            rounds=5,
            target=0.6,
        )
        yield measure(
            "images prune / aws ecr batch-delete-image, 9,900 images",
            bench.prune_ours,
            bench.prune_theirs,
            rounds=1,
            target=0.35,
            before=bench.fill,
            warm_up=False,
        )
        yield Memory(bench.most_bytes)
