"""The published description against the running service: schemathesis, with all of its checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from service.app import OPENAPI
from tests.service.mariadb import free_port
from tests.service.server import REPOSITORY, Server, migrated_sqlite, run_server, task_environ

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws
    from tests.service.mariadb import MariaDb

EXAMPLES = 60
LONGEST_SECONDS = 200
# A 503 with Retry-After is what the description promises while the database is away.
AWAY = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""


def check(server: Server, folder: Path, settings: str = "") -> Counter[int]:
    """Let schemathesis try everything that the description allows, and what it forbids.

    Gives how often the registration was answered with each status.
    """
    file = folder / "schemathesis.toml"
    file.write_text(settings)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", file),
            *("run", OPENAPI, "--url", server.url, "--checks", "all"),
            # The same examples in every run, so that a change is what turns one red.
            *("--seed", "1", "--generation-deterministic"),
            *("--max-examples", str(EXAMPLES), "--continue-on-failure"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.service.openapi_formats",
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return Counter(
        line["status"]
        for line in server.log_lines()
        if line.get("route") == "/api/register" and line["method"] == "POST"
    )


def test_the_description_is_true(tmp_path: Path) -> None:
    environ = {**migrated_sqlite(tmp_path), "RATE_LIMIT": "off"}
    with run_server(environ, tmp_path) as server:
        answered = check(server, tmp_path)
    assert set(answered) == {200, 201, 400, 409, 415}


@pytest.mark.engine
@pytest.mark.xdist_group("service-mariadb")
def test_the_description_is_true_on_mariadb(mariadb: MariaDb, aws: Aws, tmp_path: Path) -> None:
    environ = {**task_environ(aws, mariadb.port), "DB_CA_PEM": mariadb.authority}
    with run_server(environ, tmp_path) as server:
        answered = check(server, tmp_path)
    assert set(answered) == {200, 201, 400, 409, 415}


def test_the_description_is_true_while_the_database_is_away(aws: Aws, tmp_path: Path) -> None:
    with run_server(task_environ(aws, free_port()), tmp_path, health=503) as server:
        answered = check(server, tmp_path, AWAY)
    assert set(answered) == {400, 415, 503}
