"""An AWS for a benchmark, as a process that runs while the benchmark does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARTING_SECONDS = 60


@contextmanager
def serving(module: str, *args: str) -> Iterator[str]:
    """Run `python -m MODULE PORT ARGS...` while the block runs; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", module, str(port), *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def environ_for(url: str) -> dict[str, str]:
    """Give the environment of a command whose calls go there, and nowhere else."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def expect(found: object, wanted: object) -> None:
    """End the benchmark where a command did not do what is measured."""
    if found != wanted:
        raise SystemExit(f"expected {wanted}, found {found}")


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + _STARTING_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError as error:
            if time.monotonic() > give_up_at:
                raise SystemExit("moto does not answer") from error
            time.sleep(0.2)
        else:
            return
