"""The sandbox's commands where no sandbox can be: what they say, and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.sandbox.host import check_local_engine

if TYPE_CHECKING:
    from tests.conftest import Project

ENVIRONMENT = '  sandbox: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566"}\n'
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture
def sandboxed(project: Project) -> Project:
    """Give a project whose configuration has an environment for a sandbox."""
    path = project.directory / "schoolctl.yaml"
    path.write_text(path.read_text() + ENVIRONMENT)
    return project


@pytest.mark.parametrize("command", ["up", "status", "logs", "down"])
def test_without_an_engine_the_commands_say_so(sandboxed: Project, command: str) -> None:
    done = sandboxed.invoke("sandbox", command, environ=NO_ENGINE)
    assert done.exit_code == 1
    assert "/nowhere/docker.sock" in done.stderr
    assert "hint:" in done.stderr
    assert not (sandboxed.directory / ".schoolctl").exists()


def test_without_an_engine_json_is_one_document(sandboxed: Project) -> None:
    done = sandboxed.invoke("sandbox", "up", "--json", environ=NO_ENGINE)
    assert json.loads(done.stdout)["error"]["exit_code"] == 1


def test_without_a_sandbox_environment_the_command_says_so(project: Project) -> None:
    done = project.invoke("sandbox", "up", environ=NO_ENGINE)
    assert done.exit_code == 2
    assert "sandbox" in done.stderr


@pytest.mark.parametrize("port", ["0", "80", "65536", "many"])
def test_a_port_that_cannot_be_is_refused(sandboxed: Project, port: str) -> None:
    assert sandboxed.invoke("sandbox", "up", "--port", port).exit_code == 2


def test_a_socket_of_this_machine_is_taken() -> None:
    check_local_engine("unix:///run/user/1000/docker.sock")


@pytest.mark.parametrize(
    "host", ["tcp://192.0.2.9:2375", "ssh://somebody@elsewhere", "npipe:////x"]
)
def test_an_engine_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(EngineError) as caught:
        check_local_engine(host)
    assert host in caught.value.why
