"""The choice of a builder, builds through the docker CLI, and the secrets of a build.

A machine may have several docker CLIs on its PATH, and only one of them with BuildKit: each is
looked at. The Docker SDK itself knows only the classic builder.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from collections import deque
from typing import IO, TYPE_CHECKING

from schoolctl.base.errors import EngineError, UsageError
from schoolctl.docker.errors import build_error
from schoolctl.model.images import Builder, BuilderChoice, BuilderKind, BuildSecret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from schoolctl.docker.engine import BuildRequest


_ASK_SECONDS = 20
_LAST_LINES = 15
_FIRST_WITHOUT_BUILDKIT = 23
"""From this release on the CLI leaves BuildKit to its buildx plugin."""
_LAYER_DIGEST = re.compile(r"#\d+ sha256:[0-9a-f]{64}(?: \S+ .*)?")
_ID = re.compile(r"[A-Za-z0-9_.-]+")
_HINT = "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE"


def find_builder(environ: Mapping[str, str], choice: BuilderChoice) -> Builder:
    """Find the builder for a choice.

    Raises:
        EngineError: BuildKit was asked for, and no docker CLI has it.
    """
    classic = Builder(BuilderKind.CLASSIC)
    if choice is BuilderChoice.CLASSIC:
        return classic
    looked_at = []
    for cli in _docker_clis(environ):
        found = _buildkit_of(cli, environ)
        if found is not None:
            return found
        looked_at.append(cli)
    if choice is BuilderChoice.AUTO:
        return classic
    raise EngineError(
        "BuildKit was asked for, and no docker CLI here has it",
        why=f"looked at {', '.join(looked_at)}" if looked_at else "there is no docker on PATH",
        hint="install the buildx plugin (`docker-buildx-plugin`, or `docker-buildx`), or use"
        " --builder classic",
    )


def _docker_clis(environ: Mapping[str, str]) -> Iterator[str]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which("docker", path=folder)
        if found:
            yield found


def _buildkit_of(cli: str, environ: Mapping[str, str]) -> Builder | None:
    if _ask([cli, "buildx", "version"], environ) is not None:
        return Builder(BuilderKind.BUILDKIT, cli, buildx=True)
    version = re.search(r"version (\d+)\.", _ask([cli, "--version"], environ) or "")
    if version and int(version[1]) < _FIRST_WITHOUT_BUILDKIT:
        return Builder(BuilderKind.BUILDKIT, cli)
    return None


def _ask(command: list[str], environ: Mapping[str, str]) -> str | None:
    try:
        answer = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace")


def build_with_cli(
    request: BuildRequest,
    tar: IO[bytes],
    environ: Mapping[str, str],
    on_line: Callable[[str], None],
) -> None:
    """Build with BuildKit.

    Args:
        request: what to build, with a BuildKit builder.
        tar: the context, at its beginning.
        environ: what the CLI runs in: it leads to the engine.
        on_line: gets each line of the output that says something.

    Raises:
        EngineError: the build failed; its last lines are in the error.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        _command(request),
        stdin=tar,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # The image must be one image: without this, buildx adds a provenance beside it, which
        # makes an index of what is pushed.
        env={**environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for raw in process.stdout or ():
                line = raw.rstrip()
                if line and not _LAYER_DIGEST.fullmatch(line):
                    last.append(line)
                    on_line(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        said = next((each for each in reversed(last) if "rror" in each), "the build failed")
        raise build_error(f"could not build {request.image}", said, tuple(last))


def _command(request: BuildRequest) -> list[str]:
    builder = request.builder
    # A builder in a container of its own keeps its images to itself without --load.
    command = (
        [builder.cli, "buildx", "build", "--load"] if builder.buildx else [builder.cli, "build"]
    )
    command += ["--progress", "plain", "--platform", request.platform]
    command += ["--file", request.context.dockerfile_name, "--tag", str(request.image)]
    for name, value in sorted(request.build_args.items()):
        command += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(request.labels.items()):
        command += ["--label", f"{name}={value}"]
    for secret in request.secrets:
        command += ["--secret", secret.option]
    return [*command, "-"]


def parse_build_secrets(
    texts: Iterable[str], directory: Path, environ: Mapping[str, str]
) -> tuple[BuildSecret, ...]:
    """Read the values of `--secret`.

    Args:
        texts: such as `id=npm,src=.npmrc` and `id=npm,env=NPM_TOKEN`.
        directory: that relative files are in.
        environ: that variables are in.

    Raises:
        UsageError: one cannot be read, or its file or variable is not there.
    """
    found: dict[str, BuildSecret] = {}
    for text in texts:
        secret = _parse(text, directory, environ)
        if secret.id in found:
            raise UsageError(f"--secret names {secret.id} twice", hint="give each an id of its own")
        found[secret.id] = secret
    return tuple(found.values())


def _parse(text: str, directory: Path, environ: Mapping[str, str]) -> BuildSecret:
    fields = dict(each.partition("=")[::2] for each in next(csv.reader([text]), []))
    kind, identity = fields.pop("type", ""), fields.pop("id", "")
    if not _ID.fullmatch(identity):
        raise UsageError(f"--secret {text!r} names no secret", hint=_HINT)
    source = fields.pop("src", "") or fields.pop("source", "")
    variable = fields.pop("env", "")
    if fields or kind not in {"", "file", "env"} or bool(source) == bool(variable):
        raise UsageError(f"--secret {text!r} cannot be read", hint=_HINT)
    if variable:
        if variable not in environ:
            raise UsageError(
                f"--secret {identity}: {variable} is not set in the environment",
                hint=f"`export {variable}`, or name a file with src=",
            )
        return BuildSecret(identity, variable=variable)
    file = directory / source
    if not file.is_file():
        raise UsageError(f"--secret {identity}: there is no file {file}", hint=_HINT)
    return BuildSecret(identity, file=file)
