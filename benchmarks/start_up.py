"""`schoolctl --help` against the help page of a Typer app with two commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pairs import Pair, measure

_SMALL = """\
import typer

app = typer.Typer()


@app.command()
def hello(name: str, count: int = 1) -> None:
    "Greet somebody."


@app.command()
def goodbye(name: str, formal: bool = False) -> None:
    "Take leave of somebody."


if __name__ == "__main__":
    app()
"""


def compare(schoolctl: Path) -> Pair:
    """Measure both as fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.py"
        small.write_text(_SMALL)
        return measure(
            "schoolctl --help / a two-command Typer app's --help",
            lambda: _quiet(str(schoolctl), "--help"),
            lambda: _quiet(sys.executable, str(small), "--help"),
            rounds=15,
            target=1.3,
        )


def _quiet(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
