"""`make bench`: every benchmark, a line each; nothing here passes or fails by time.

`python -m benchmarks NAME` runs one alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks import aws_cli, code_change, images, parameters, registration, sequence, start_up

if TYPE_CHECKING:
    from collections.abc import Iterable

BIN = Path(sys.executable).parent
SCHOOLCTL = BIN / "schoolctl"


class Figure(Protocol):
    """What a benchmark finds out."""

    def line(self) -> str:
        """Say it in one line."""
        ...


def _aws() -> Path:
    return aws_cli.install(BIN.parent / "aws-cli")


def _run(name: str) -> Iterable[Figure]:
    match name:
        case "start_up":
            return [start_up.compare(SCHOOLCTL)]
        case "sequence":
            return sequence.compare(SCHOOLCTL, _aws())
        case "images":
            return images.compare(SCHOOLCTL, _aws())
        case "parameters":
            return parameters.compare(SCHOOLCTL, _aws())
        case "code_change":
            return [code_change.measure_code_change(SCHOOLCTL)]
        case "registration":
            return registration.compare()
        case _:
            raise SystemExit(f"no benchmark {name}; there are {', '.join(NAMES)}")


NAMES = ("start_up", "sequence", "parameters", "images", "code_change", "registration")


def main() -> None:
    """Run the benchmarks named on the command line, or all, and print what they find."""
    for name in sys.argv[1:] or NAMES:
        for figure in _run(name):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
