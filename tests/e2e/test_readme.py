"""The README's first deployment, command by command, typed at a terminal in a new directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.e2e.conftest import Sandbox, make_sandbox, take_down
from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"run these five commands -->\n```console\n(.*?)```", re.DOTALL)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def newcomer(installed: Path, tmp_path: Path, port: int) -> Iterator[Sandbox]:
    """A directory with a service and its Dockerfile, and nothing of schoolctl's yet."""
    made = make_sandbox(installed, tmp_path)
    (made.directory / "schoolctl.yaml").unlink()
    yield made
    take_down(made, port)


def test_first_deployment_goes_as_the_readme_says(newcomer: Sandbox, port: int) -> None:
    found = _BLOCK.search((_ROOT / "README.md").read_text())
    assert found is not None
    commands = [line.removeprefix("$ schoolctl ") for line in found[1].splitlines()]
    assert [line.split()[0] for line in commands] == ["init", "push", "params", "deploy", "status"]

    newcomer.run(*commands[0].split())
    config = newcomer.directory / "schoolctl.yaml"
    config.write_text(config.read_text().replace("# release_command:", "release_command:"))
    newcomer.run("sandbox", "up", "--port", str(port))

    newcomer.run(*commands[1].split())
    _type_values(newcomer, commands[2].split())
    newcomer.run(*commands[3].split())
    status = newcomer.json(*commands[4].split())
    assert (status["running"], status["desired"]) == (2, 2)


def _type_values(newcomer: Sandbox, args: list[str]) -> None:
    lines = (newcomer.directory / ".schoolctl" / "sandbox.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    values = {key: value.strip("'\"") for key, _, value in pairs}
    terminal = pexpect.spawn(
        str(newcomer.command),
        args,
        cwd=str(newcomer.directory),
        env={**newcomer.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 200),
    )
    shown = ""
    for key in ("db_host", "db_name", "db_user", "db_password"):
        terminal.expect(rf"{key}.*?: ")
        shown += terminal.before or ""
        terminal.sendline(values[key])
    terminal.expect(pexpect.EOF)
    shown += terminal.before or ""
    terminal.close()
    assert terminal.exitstatus == 0, shown
    assert values["db_host"] in shown
    assert values["db_password"] not in shown
