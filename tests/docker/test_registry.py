"""Pushes and copies against Debian's `docker-registry`, which demands a login."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.connect import connect_engine
from schoolctl.docker.context import read_context
from schoolctl.docker.engine import BuildRequest
from schoolctl.docker.registry import Place, copy_image
from schoolctl.model.images import BuilderChoice, Digest, RegistryLogin, RepositoryUri
from schoolctl.model.values import SecretValue
from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schoolctl.docker.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("builds")]
_START_SECONDS = 10
NOTHING = Digest(f"sha256:{'0' * 64}")
PASSWORD = "secret"
BCRYPT = "$2b$04$zm7oO0hHK468ldRdD4tJGOY6Xk4Rtz1YPcqoXoW2dPAQiPKhnIOtG"
"""The password as the registry wants it; Python itself can make no such thing."""


def quiet(*told: object) -> None:
    """Take what is told of a transfer."""
    del told


@dataclass(frozen=True)
class RealRegistry:
    """A registry under way, and the login that it demands."""

    host: str
    password: str
    process: subprocess.Popen[bytes]

    def place(self, name: str, password: str = "") -> Place:
        """Give a repository there."""
        secret = SecretValue(password or self.password)
        login = RegistryLogin(self.host, "AWS", secret, datetime.now(UTC))
        return Place(RepositoryUri(self.host, name), login)


def _start(folder: Path) -> RealRegistry:
    program = shutil.which("docker-registry")
    if program is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("no docker-registry: `apt-get install docker-registry`")
    folder.mkdir()
    host = f"127.0.0.1:{free_port()}"
    (folder / "htpasswd").write_text(f"AWS:{BCRYPT}\n")
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "secret": "x"},
        "auth": {"htpasswd": {"realm": "ecr", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    log = (folder / "log").open("wb")
    command = [program, "serve", str(folder / "config.yml")]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    registry = RealRegistry(host, PASSWORD, process)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(host.partition(":")[2]))) == 0:
                return registry
        time.sleep(0.02)
    process.kill()
    raise AssertionError((folder / "log").read_text())


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[list[RealRegistry]]:
    started = [_start(tmp_path / name) for name in ("one", "two")]
    yield started
    for each in started:
        each.process.terminate()
        each.process.wait()


@pytest.fixture
def engine() -> Engine:
    return connect_engine(os.environ)


@pytest.fixture
def source(registries: list[RealRegistry], engine: Engine, tmp_path: Path) -> Iterator[Place]:
    """Build an image and give the place that it is for."""
    place = registries[0].place("shop/app")
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "file").write_text(str(place.repository))
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    (directory / ".dockerignore").write_text("*\n!file\n")
    context = read_context(directory, directory / "Dockerfile")
    image = place.repository.tagged("1.0")
    builder = engine.builder(BuilderChoice.CLASSIC)
    engine.build(BuildRequest(context, image, "linux/amd64", builder), quiet)
    yield place
    subprocess.run(["docker", "rmi", str(image)], check=False, capture_output=True)


def push(engine: Engine, place: Place) -> Digest:
    return engine.push(place.repository.tagged("1.0"), place.login, quiet).digest


@pytest.mark.parametrize(
    "config",
    [
        "{ broken",
        '{"auths": {"HOST": {"auth": "QVdTOm9sZA=="}}}',
        '{"credsStore": "not-installed"}',
        '{"credHelpers": {"HOST": "not-installed"}}',
    ],
)
def test_what_docker_has_stored_does_not_get_in_the_way_of_a_push(
    source: Place, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "docker" / "config.json"
    file.parent.mkdir()
    file.write_text(config.replace("HOST", source.repository.registry))
    monkeypatch.setenv("DOCKER_CONFIG", str(file.parent))
    before = file.read_bytes()

    push(connect_engine(os.environ), source)

    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["config.json"]


def test_a_push_with_a_wrong_login_is_told_with_its_cure(
    registries: list[RealRegistry], source: Place, engine: Engine
) -> None:
    wrong = registries[0].place("shop/app", "of yesterday")
    with pytest.raises(EngineError, match="could not push") as raised:
        push(engine, wrong)
    assert raised.value.hint
    with pytest.raises(EngineError, match="could not copy") as raised:
        copy_image(
            wrong, source, source.repository.tagged("2"), Digest(f"sha256:{'0' * 64}"), quiet
        )
    assert "authentication required" in raised.value.why


def test_a_registry_that_is_gone_is_told(
    registries: list[RealRegistry], source: Place, engine: Engine
) -> None:
    registries[0].process.terminate()
    registries[0].process.wait()
    with pytest.raises(EngineError) as raised:
        push(engine, source)
    assert "cannot reach the registry" in raised.value.hint


def test_an_image_is_copied_to_another_registry_and_pulled_from_there(
    registries: list[RealRegistry], source: Place, engine: Engine
) -> None:
    digest = push(engine, source)
    target = registries[1].place("live/app")

    copied = copy_image(source, target, target.repository.tagged("1.0"), digest, quiet)
    again = copy_image(source, target, target.repository.tagged("1.1"), digest, quiet)
    pulled = engine.pull(target.repository.at(digest), target.login, quiet)
    subprocess.run(
        ["docker", "rmi", str(target.repository.at(digest))], check=False, capture_output=True
    )

    assert len(copied.sent) == 2
    assert again.sent == {}
    assert digest in pulled.digests


def test_layers_are_mounted_within_a_registry(
    registries: list[RealRegistry], source: Place, engine: Engine
) -> None:
    digest = push(engine, source)
    target = registries[0].place("shop/live")

    copied = copy_image(source, target, target.repository.tagged("1.0"), digest, quiet)

    assert copied.sent == {}
    assert len(copied.reused) == 2


def test_a_copy_that_the_target_refuses_leaves_no_tag(
    registries: list[RealRegistry], source: Place, engine: Engine
) -> None:
    digest = push(engine, source)
    target = registries[1].place("live/app")
    wrong = replace(target, login=registries[1].place("x", "of yesterday").login)

    with pytest.raises(EngineError):
        copy_image(source, wrong, target.repository.tagged("1.0"), digest, quiet)

    password_manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    url = f"http://{target.repository.registry}/v2/_catalog"
    password_manager.add_password(None, url, "AWS", target.login.password.reveal())
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(password_manager))
    with opener.open(url, timeout=10) as answer:
        assert json.load(answer) == {"repositories": []}
