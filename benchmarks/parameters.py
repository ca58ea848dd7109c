"""`params set` of three parameters, against three `aws ssm put-parameter`.

Both speak to the same moto server, in turn, and write values that are new. What `params set` does
with values that are there already is counted: it must not write.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from benchmarks.pairs import Pair, measure
from benchmarks.project import copy_project
from benchmarks.serving import environ_for, expect, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ("db_host", "db_name", "db_user")
_WRITE = "PutParameter"


@dataclass(frozen=True)
class Writes:
    """How many writes it took to set what is set already."""

    number: int

    def line(self) -> str:
        """Say the figure in one line."""
        verdict = "met" if self.number == 0 else "MISSED"
        return f"params set of three equal values: {self.number} writes, target 0: {verdict}"


class Bench:
    """A project, an account, and both ways to put parameters there."""

    def __init__(self, schoolctl: Path, aws: Path, directory: Path, url: str) -> None:
        self._schoolctl = schoolctl
        self._aws = aws
        self._directory = directory
        self._url = url
        self._environ = environ_for(url)
        self._values = (f"value-{number}" for number in itertools.count())

    def ours(self) -> None:
        """Seed with schoolctl."""
        self._set(next(self._values), len(_KEYS))

    def theirs(self) -> None:
        """Seed with aws, as the page of notes has it."""
        value = next(self._values)
        for key in _KEYS:
            self._run(
                *(self._aws, "ssm", "put-parameter", "--overwrite", "--type", "SecureString"),
                *("--name", f"/schoolapp/by-hand/{key}", "--value", value, "--output", "json"),
            )

    def again(self) -> Writes:
        """Set three values twice, and count the writes of the second time."""
        value = next(self._values)
        self._set(value, len(_KEYS))
        before = self._writes()
        self._set(value, 0)
        return Writes(self._writes() - before)

    def _set(self, value: str, written: int) -> None:
        pairs = [f"{key}={value}" for key in _KEYS]
        told = self._run(self._schoolctl, "params", "set", *pairs)
        expect(told, f"set {written} parameters of environment dev\n" if written else "")

    def _writes(self) -> int:
        answer = urllib3.request("GET", f"{self._url}/calls", retries=False)
        return int(json.loads(answer.data).get(_WRITE, 0))

    def _run(self, *command: Path | str) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._directory,
            env=self._environ,
        )
        if done.returncode != 0:
            raise SystemExit(f"{command[0]} ended with {done.returncode}\n{done.stderr}")
        return done.stdout


def compare(schoolctl: Path, aws: Path) -> Iterator[Pair | Writes]:
    """Measure seeding, and count the writes of seeding once more."""
    with tempfile.TemporaryDirectory() as folder, serving("benchmarks.moto_counting") as url:
        bench = Bench(schoolctl, aws, copy_project(Path(folder)), url)
        yield measure(
            "params set of three / three aws ssm put-parameter",
            bench.ours,
            bench.theirs,
            rounds=7,
            target=0.4,
        )
        yield bench.again()
