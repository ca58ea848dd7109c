"""The ten definitions on the emulator, whose defaults differ from moto's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Aws
from tests.definitions import DEFINITIONS
from tests.init.test_init_from_service import Adopted
from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Project

_READY_SECONDS = 25


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Give an empty account on an emulator of its own, without an engine."""
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "GATEWAY_PORT": str(port),
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        "MINISTACK_REGION": "us-east-1",
        "MINISTACK_ACCOUNT_ID": "123456789012",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "S3_DATA_DIR": str(tmp_path / "s3"),
        "STATE_DIR": str(tmp_path / "state"),
    }
    command = [sys.executable, "-P", "-m", "hypercorn", "ministack.app:app"]
    command += ["--workers=0", f"--bind=127.0.0.1:{port}"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/_ministack/ready")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield Aws(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str) -> None:
    give_up_at = time.monotonic() + _READY_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  # our own address
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)  # a process of its own starts
        else:
            return


@pytest.mark.parametrize("name", DEFINITIONS)
def test_nothing_changes_on_the_emulator_either(emulator: Aws, project: Project, name: str) -> None:
    adopted = Adopted(emulator, project, name, desired=0)
    adopted.init()
    adopted.assert_nothing_to_do()
