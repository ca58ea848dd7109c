"""What the product relies on in an engine: the fake and the real one are held to the same."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.connect import connect_engine
from schoolctl.docker.context import read_context
from schoolctl.docker.engine import BuildRequest
from schoolctl.model.images import BuilderChoice, Digest, ImageRef, RegistryLogin, RepositoryUri
from schoolctl.model.values import SecretValue
from tests.fake_engine import FakeEngine
from tests.registry import Registry, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schoolctl.docker.engine import Engine, LocalImage

LOCAL = "linux/amd64"
PASSWORD = "secret"


def quiet(*told: object) -> None:
    """Take what an engine tells of its progress."""
    del told


@dataclass
class Bench:
    """An engine, a registry that demands a login, and a project to build."""

    engine: Engine
    registry: Registry
    directory: Path
    repository: RepositoryUri

    def build(self, tag: str, content: str = "hello", platform: str = LOCAL) -> LocalImage:
        # Layers of this test alone: one test's cleaning up must not take what another's build,
        # at the same time, has just found in the engine's cache.
        (self.directory / "file").write_text(f"{content} of {self.repository}")
        (self.directory / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
        (self.directory / ".dockerignore").write_text("*\n!file\n")
        return self.engine.build(
            BuildRequest(
                context=read_context(self.directory, self.directory / "Dockerfile"),
                image=self.repository.tagged(tag),
                platform=platform,
                builder=self.engine.builder(BuilderChoice.CLASSIC),
                labels={"claim": content},
            ),
            quiet,
        )

    def login(self, password: str = PASSWORD) -> RegistryLogin:
        return RegistryLogin(
            self.repository.registry, "AWS", SecretValue(password), datetime.now(UTC)
        )

    def push(self, tag: str, password: str = PASSWORD) -> Digest:
        image = self.repository.tagged(tag)
        return self.engine.push(image, self.login(password), quiet).digest


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.engine)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    registry = Registry(password=PASSWORD)
    registry.start()
    name = f"schoolctl-test-{uuid.uuid4().hex[:12]}"
    repository = RepositoryUri(registry.host, name)
    registry.repositories = {name}
    engine = FakeEngine() if request.param == "fake" else connect_engine(os.environ)
    directory = tmp_path / "context"
    directory.mkdir()
    yield Bench(engine, registry, directory, repository)
    registry.stop()
    if request.param == "real":
        _forget(name)


def _forget(name: str) -> None:
    asked = ["docker", "images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"]
    for line in subprocess.check_output(asked, text=True).splitlines():
        repository, tag, digest = line.split(" ")
        if repository.endswith(f"/{name}"):
            reference = f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"
            subprocess.run(["docker", "rmi", reference], check=False, capture_output=True)


def test_an_engine_tells_its_version_and_where_it_keeps_images(bench: Bench) -> None:
    told = bench.engine.info()
    assert re.match(r"\d+\.\d+", told.version)
    assert told.folder.startswith("/")
    assert "://" in told.host


def test_an_image_nobody_built_is_not_there(bench: Bench) -> None:
    assert bench.engine.image(f"{bench.repository}:never") is None


def test_a_built_image_has_its_labels_and_platform(bench: Bench) -> None:
    built = bench.build("1.0")
    assert built.labels == {"claim": "hello"}
    assert built.platform == LOCAL
    assert bench.engine.image(f"{bench.repository}:1.0") == built


def test_a_push_gives_the_digest_that_the_registry_took(bench: Bench) -> None:
    bench.build("1.0")
    digest = bench.push("1.0")
    found = bench.registry.manifest(bench.repository.name, "1.0")
    assert found is not None
    assert str(digest) == digest_of(found[0])


def test_layers_that_are_there_are_not_sent_again(bench: Bench) -> None:
    bench.build("1.0")
    image = bench.repository.tagged("1.0")
    first = bench.engine.push(image, bench.login(), quiet)
    second = bench.engine.push(image, bench.login(), quiet)
    assert first.sent
    assert second.sent == ()
    assert first.digest == second.digest


def test_a_push_with_a_wrong_password_is_an_error(bench: Bench) -> None:
    bench.build("1.0")
    with pytest.raises(EngineError) as raised:
        bench.push("1.0", password="of yesterday")
    assert "expired" in raised.value.why
    assert raised.value.hint
    assert bench.registry.tags == {}


def test_a_token_that_expires_in_the_middle_is_an_error(bench: Bench) -> None:
    bench.build("1.0")
    bench.registry.expires_after = 3
    with pytest.raises(EngineError) as raised:
        bench.push("1.0")
    assert raised.value.why
    assert bench.registry.tags == {}


def test_a_push_of_a_missing_tag_is_an_error(bench: Bench) -> None:
    with pytest.raises(EngineError, match="could not push"):
        bench.push("never-built")


def test_a_push_to_a_registry_that_is_away_is_an_error(bench: Bench) -> None:
    gone = ImageRef(RepositoryUri("127.0.0.1:9", bench.repository.name), tag="1.0")
    built = bench.build("1.0")
    bench.engine.tag(built.id, gone)
    with pytest.raises(EngineError) as raised:
        bench.engine.push(gone, bench.login(), quiet)
    assert "cannot reach the registry" in raised.value.hint


def test_a_push_to_a_missing_repository_names_the_cure(bench: Bench) -> None:
    bench.build("1.0")
    bench.registry.repositories = set()
    with pytest.raises(EngineError) as raised:
        bench.push("1.0")
    assert "repo create" in raised.value.hint


def test_an_immutable_tag_is_an_error(bench: Bench) -> None:
    bench.registry.immutable = True
    bench.build("1.0")
    before = bench.push("1.0")
    bench.build("1.0", content="other")
    with pytest.raises(EngineError) as raised:
        bench.push("1.0")
    assert "--tag" in raised.value.hint
    assert bench.registry.tags == {(bench.repository.name, "1.0"): str(before)}


def test_a_pulled_image_is_the_one_that_was_pushed(bench: Bench) -> None:
    built = bench.build("1.0")
    digest = bench.push("1.0")
    pulled = bench.engine.pull(bench.repository.at(digest), bench.login(), quiet)
    assert pulled.id == built.id
    assert digest in pulled.digests


def test_a_pull_with_a_wrong_password_is_an_error(bench: Bench) -> None:
    bench.build("1.0")
    digest = bench.push("1.0")
    with pytest.raises(EngineError, match="could not pull"):
        bench.engine.pull(bench.repository.at(digest), bench.login("of yesterday"), quiet)


def test_a_pull_of_what_is_not_there_is_an_error(bench: Bench) -> None:
    nothing = bench.repository.at(Digest("sha256:" + "0" * 64))
    with pytest.raises(EngineError, match="could not pull"):
        bench.engine.pull(nothing, bench.login(), quiet)
