"""The installed command on a real engine: a wheel in an environment of its own, and a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_PASSED_ON = ("PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "DOCKER_HOST")


@pytest.hookimpl(tryfirst=True)  # before xdist asks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as end-to-end; one worker runs a file, whose tests share a sandbox."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group(f"e2e-{item.path.stem}"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it beside the locked dependencies, and give the command's path."""
    folder = tmp_path_factory.mktemp("installed")
    wheels = folder / "wheels"
    _run(
        *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"),
        *("-w", str(wheels), str(ROOT)),
    )
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    _run(
        *(sys.executable, "-m", "pip", "--python", str(python)),
        *("install", "-q", "--no-deps", *map(str, wheels.iterdir())),
    )
    # The dependencies come from the environment that runs the tests. Its own (editable)
    # schoolctl does not: only the folder is added, the .pth files in it are not read again.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    where = _run(str(python), "-c", "import schoolctl; print(schoolctl.__file__)", cwd=folder)
    assert where.startswith(str(packages)), f"the tests would run {where}"
    return environment / "bin" / "schoolctl"


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document that `--json` prints."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True)
class Sandbox:
    """A project in a directory of its own, on a local AWS of its own."""

    command: Path
    directory: Path
    environ: dict[str, str]

    def run(self, *args: str, code: int | None = 0, stdin: str = "") -> Finished:
        """Run `schoolctl args...` for the sandbox; `code` is the exit code that must come."""
        done = subprocess.run(
            [str(self.command), *args],
            cwd=self.directory,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        finished = Finished(done.returncode, done.stdout, done.stderr)
        if code is not None:
            assert finished.code == code, f"schoolctl {' '.join(args)}\n{done.stdout}{done.stderr}"
        return finished

    def json(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Run a command with `--json` and give its document."""
        return self.run(*args, "--json", code=code).document


def make_sandbox(command: Path, folder: Path) -> Sandbox:
    """Copy what a user's project has into `folder`: configuration, service, Dockerfile."""
    directory, home = folder / "project", folder / "sandbox-home"
    directory.mkdir()
    home.mkdir()
    for name in ("schoolctl.yaml", "Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, directory / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "service", directory / "service", ignore=ignored)
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environ = {**passed_on, "HOME": str(home), "SCHOOLCTL_ENV": "sandbox", "NO_COLOR": "1"}
    return Sandbox(command, directory, environ)


@contextmanager
def deployed_sandbox(command: Path, folder: Path) -> Iterator[Sandbox]:
    """Bring up a sandbox with the service deployed as 1.0; taken down at the end."""
    made, port = make_sandbox(command, folder), free_port()
    try:
        made.run("sandbox", "up", "--port", str(port))
        made.run("push", "--tag", "1.0", "--create-repo")
        made.run("params", "set", "--from-file", ".schoolctl/sandbox.env")
        made.run("deploy", "--tag", "1.0")
        yield made
    finally:
        take_down(made, port)


def take_down(sandbox: Sandbox, port: int) -> None:
    """Remove a sandbox and what was pushed to it on `port`.

    Not with --images: the next one builds on the same base images, which take a minute to make.
    """
    sandbox.run("sandbox", "down", code=None)
    with closing(docker.from_env()) as engine:
        for image in engine.images.list(filters={"reference": f"127.0.0.1:{port}/*"}):
            # By its name: the same image may be that of another sandbox, and running there.
            for name in image.tags:
                if name.startswith(f"127.0.0.1:{port}/"):
                    engine.images.remove(name, force=True)


@pytest.fixture(scope="module")
def sandbox(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Give a sandbox that the tests of a file share, in which 1.0 is deployed at first."""
    with deployed_sandbox(installed, tmp_path_factory.mktemp("sandbox")) as made:
        yield made


@pytest.fixture
def own_sandbox(installed: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """Give a sandbox to one test alone, which may delete what it likes."""
    with deployed_sandbox(installed, tmp_path) as made:
        yield made
