"""`make bench`: every benchmark, a line each; nothing here passes or fails by time."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import aws_cli, code_change, sequence, start_up

BIN = Path(sys.executable).parent


def main() -> None:
    """Run all benchmarks and print their ratios."""
    schoolctl = BIN / "schoolctl"
    print(start_up.compare(schoolctl).line(), flush=True)
    aws = aws_cli.install(BIN.parent / "aws-cli")
    for pair in sequence.compare(schoolctl, aws):
        print(pair.line(), flush=True)
    print(code_change.measure_code_change(schoolctl).line(), flush=True)


if __name__ == "__main__":
    main()
