"""Builds on the real engine, by each of its two builders."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.builder import parse_build_secrets
from schoolctl.docker.connect import connect_docker, connect_engine
from schoolctl.docker.context import read_context
from schoolctl.docker.engine import BuildRequest
from schoolctl.model.images import BuilderChoice, ImageRef, RepositoryUri
from schoolctl.sandbox.images import default_base, ensure_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.docker.engine import Engine, LocalImage
    from schoolctl.model.images import BuildSecret

# One worker: what one test removes may be what another's build has just found in the cache.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("builds")]
EVERYTHING = "FROM scratch\nCOPY . /\n"


@dataclass
class Bench:
    """A project, and one of the builders."""

    engine: Engine
    directory: Path
    choice: BuilderChoice
    image: ImageRef
    lines: list[str] = field(default_factory=list)

    def write(self, path: str, content: str = "x") -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def build(
        self,
        platform: str = "linux/amd64",
        secrets: tuple[BuildSecret, ...] = (),
        **build_args: str,
    ) -> LocalImage:
        context = read_context(self.directory, self.directory / "Dockerfile")
        builder = self.engine.builder(self.choice)
        labels = {"schoolctl.test": "1", "text": 'with "quotes", a = and ünïcode'}
        return self.engine.build(
            BuildRequest(context, self.image, platform, builder, build_args, labels, secrets),
            self.lines.append,
        )

    def files(self) -> set[str]:
        """Give the files in the image, from the layers that the engine saves."""
        saved = subprocess.check_output(["docker", "save", str(self.image)])
        found: set[str] = set()
        with tarfile.open(fileobj=io.BytesIO(saved)) as outer:
            for member in outer.getmembers():
                if not member.name.endswith("layer.tar"):
                    continue
                layer = outer.extractfile(member)
                assert layer is not None
                with tarfile.open(fileobj=layer) as inner:
                    found |= {each.name for each in inner.getmembers() if not each.isdir()}
        return found


@pytest.fixture(params=[BuilderChoice.CLASSIC, BuilderChoice.BUILDKIT])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    directory = tmp_path / "project"
    directory.mkdir()
    image = ImageRef(RepositoryUri("127.0.0.1:9", f"test-{uuid.uuid4().hex[:12]}"), tag="1")
    engine = connect_engine(os.environ)
    if request.param is BuilderChoice.BUILDKIT:
        _need_buildkit(engine)
    made = Bench(engine, directory, request.param, image)
    made.write(".dockerignore", "# everything\n")
    made.write("Dockerfile", EVERYTHING)
    yield made
    subprocess.run(["docker", "rmi", str(image)], check=False, capture_output=True)


def _need_buildkit(engine: Engine) -> None:
    """Skip where no docker command has BuildKit; in CI that is a failure."""
    try:
        engine.builder(BuilderChoice.BUILDKIT)
    except EngineError as error:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"no BuildKit: {error.why}")


def test_a_build_tells_its_steps_and_keeps_labels(bench: Bench) -> None:
    bench.write("app")
    built = bench.build()
    assert built.labels["text"] == 'with "quotes", a = and ünïcode'
    assert any("COPY . /" in line for line in bench.lines)


def test_what_dockerignore_leaves_out_is_not_in_the_image(bench: Bench) -> None:
    bench.write(".dockerignore", "*\n!app\napp/*.secret\n")
    for path in ("app/main", "app/key.secret", "notes", "deep/er"):
        bench.write(path)
    bench.build()
    # Both builders need the Dockerfile in what they are sent.
    assert bench.files() == {"app/main", "Dockerfile"}


def test_both_builders_take_a_dockerfile_below(bench: Bench) -> None:
    bench.write("ops/api.Dockerfile", "FROM scratch\nCOPY app /app\n")
    bench.write("app")
    context = read_context(bench.directory, bench.directory / "ops/api.Dockerfile")
    builder = bench.engine.builder(bench.choice)
    request = BuildRequest(context, bench.image, "linux/amd64", builder)
    bench.engine.build(request, bench.lines.append)
    assert bench.files() == {"app"}


def test_a_build_argument_reaches_the_dockerfile(bench: Bench) -> None:
    bench.write("Dockerfile", "FROM scratch\nARG WHAT=none\nCOPY ${WHAT} /it\n")
    bench.write("a=b, c")
    bench.write("other")
    bench.build(WHAT="other")
    assert bench.files() == {"it"}


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        ("FROM scratch\nCOPY nothing-here /\n", "nothing-here"),
        ("FROM scratch\nCPOY . /\n", "CPOY"),
        ("FROM 127.0.0.1:9/no/such:base\n", "127.0.0.1:9"),
    ],
)
def test_a_build_that_fails_is_an_error_with_the_reason(
    bench: Bench, dockerfile: str, said: str
) -> None:
    bench.write("Dockerfile", dockerfile)
    with pytest.raises(EngineError, match="could not build") as raised:
        bench.build()
    assert said in raised.value.why
    assert bench.engine.image(str(bench.image)) is None


def test_a_base_for_another_machine_is_never_passed_off(bench: Bench) -> None:
    bench.write("app")
    base = f"test-base-{uuid.uuid4().hex[:12]}:1"
    _import(base, "linux/amd64")
    bench.write("Dockerfile", f"FROM {base}\nCOPY app /\n")
    try:
        with pytest.raises(EngineError):
            bench.build(platform="linux/arm64")
    finally:
        subprocess.run(["docker", "rmi", base], check=False, capture_output=True)


def _import(name: str, platform: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("base"), io.BytesIO())
    command = ["docker", "import", "--platform", platform, "-", name]
    subprocess.run(command, input=content.getvalue(), check=True, capture_output=True)


@pytest.mark.parametrize("bench", [BuilderChoice.CLASSIC], indirect=True)
def test_a_dockerfile_that_needs_buildkit_says_so_to_the_classic_builder(bench: Bench) -> None:
    bench.write("Dockerfile", "FROM scratch\nRUN --mount=type=cache,target=/c true\n")
    with pytest.raises(EngineError) as raised:
        bench.build()
    assert "requires BuildKit" in raised.value.why
    assert "--builder buildkit" in raised.value.hint


@pytest.mark.parametrize("bench", [BuilderChoice.BUILDKIT], indirect=True)
def test_a_secret_is_there_for_the_build_and_in_no_layer(bench: Bench, tmp_path: Path) -> None:
    base = default_base(Path(__file__).parents[2] / "Dockerfile")
    assert base is not None
    with closing(connect_docker(os.environ)[0]) as client:
        base = ensure_base(client, base, lambda _text: None)
    (tmp_path / "a token, with a comma").write_text("canary-of-a-file")
    bench.write(
        "Dockerfile",
        f"FROM {base} AS build\n"
        "RUN --mount=type=secret,id=file --mount=type=secret,id=variable \\\n"
        "    cat /run/secrets/file /run/secrets/variable | wc -c > /length\n"
        "FROM scratch\nCOPY --from=build /length /length\n",
    )
    environ = {"CANARY": "canary-of-a-variable"}
    bench.engine = connect_engine({**os.environ, **environ})
    given = (f'id=file,"src={tmp_path / "a token, with a comma"}"', "id=variable,env=CANARY")
    bench.build(secrets=parse_build_secrets(given, tmp_path, environ))
    history = subprocess.check_output(["docker", "history", "--no-trunc", str(bench.image)])
    saved = subprocess.check_output(["docker", "save", str(bench.image)])
    assert bench.files() == {"length"}
    assert b"canary" not in history + saved
    assert b"36\n" in saved


@pytest.mark.parametrize(
    "config",
    [
        "{ broken",
        '{"auths": {"x.test": {"auth": "AWS"}}}',
        '{"auths": {"x.test": "nothing"}}',
        '{"credsStore": "not-installed"}',
        '{"credHelpers": {"x.test": "not-installed"}}',
    ],
)
@pytest.mark.parametrize("bench", [BuilderChoice.CLASSIC], indirect=True)
def test_logins_that_cannot_be_read_keep_nobody_from_building(
    bench: Bench, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(config)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    bench.engine = connect_engine(os.environ)
    bench.write("app")
    assert bench.build().labels["schoolctl.test"] == "1"
    assert os.environ["DOCKER_CONFIG"] == str(tmp_path)


@pytest.mark.parametrize(
    ("host", "cure"),
    [
        ("unix:///nowhere/docker.sock", "start it"),
        ("tcp://127.0.0.1:9", "start it"),
    ],
)
def test_an_engine_that_is_away_is_an_error_with_the_cure(host: str, cure: str) -> None:
    with pytest.raises(EngineError, match="no Docker engine answers") as raised:
        connect_engine({"DOCKER_HOST": host})
    assert cure in raised.value.hint
    assert raised.value.why.startswith("[Errno")


def test_ignore_rules_are_those_of_buildkit_itself(tmp_path: Path) -> None:
    """Compare with what BuildKit makes of the same directory on its own."""
    engine = connect_engine(os.environ)
    _need_buildkit(engine)
    # No exception with a wildcard: before release 23, BuildKit did not look for it everywhere.
    patterns = (
        "# rules\n*\n!app\n!docs/\n!./README.md\napp/**/cache\n"
        "!app/x/cache/keep\n/docs/in?.md\n**/[ab].py\ndocs/**/z*\n"
    )
    (tmp_path / ".dockerignore").write_text(patterns)
    (tmp_path / "Dockerfile").write_text(EVERYTHING)
    for path in (
        *("app/a.py", "app/c.py", "app/x/cache/keep", "app/x/cache/drop", "app/cache/y"),
        *("README.md", "docs/in1.md", "docs/out.md", "docs/deep/z.md", "other/b", "top"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    cli = engine.builder(BuilderChoice.BUILDKIT).cli
    theirs = subprocess.run(
        [cli, "build", "--output", "type=tar,dest=-", str(tmp_path)],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        check=True,
        capture_output=True,
    )
    with tarfile.open(fileobj=io.BytesIO(theirs.stdout)) as tar:
        sent = {member.name for member in tar.getmembers() if member.isfile()}
    ours = read_context(tmp_path, tmp_path / "Dockerfile").entries
    files = {each.path for each in ours if each.content} - {"Dockerfile"}
    assert files == sent - {"Dockerfile", ".dockerignore"}
