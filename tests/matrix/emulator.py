"""The local AWS without an engine: its services take deployments, and no container is started.

A rollout completes at once, a task runs for ever; `tests/matrix/world.py` makes the answers slower
where the command is to wait for something. Each 12-digit access key is an account of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import requests

from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from pathlib import Path

_UP_WITHIN_SECONDS = 30


class Emulator:
    """A process of the emulator on a port of this machine.

    Args:
        folder: for its log.
        auth: whether it enforces IAM; an account's number is then its root.
    """

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._accounts = 200_000_000_000
        passed_on = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with (folder / "emulator.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env={
                    **passed_on,
                    "HOME": str(folder),
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(port),
                    "IOT_MTLS_ENABLED": "0",
                    "AUTH": str(auth).lower(),
                    "DOCKER_HOST": f"unix://{folder}/no-engine",
                },
                stdout=log,
                stderr=log,
            )
        self._wait()

    def _wait(self) -> None:
        give_up_at = time.monotonic() + _UP_WITHIN_SECONDS
        while True:
            try:
                requests.get(f"{self.url}/_ministack/health", timeout=5).raise_for_status()
            except requests.ConnectionError:
                if time.monotonic() > give_up_at or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def new_account(self) -> str:
        """Give the number of an account that nobody has used."""
        self._accounts += 1
        return str(self._accounts)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
