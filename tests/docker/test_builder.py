"""Which builder is found: programs called docker that behave as the releases do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.builder import find_builder
from schoolctl.model.images import BuilderChoice, BuilderKind

if TYPE_CHECKING:
    from pathlib import Path

WITH_PLUGIN = (
    '[ "$1" = buildx ] && echo "github.com/docker/buildx v0.12" || echo "Docker version 28.2.2"'
)
OLD = '[ "$1" = buildx ] && exit 1; echo "Docker version 20.10.24+dfsg1, build 297e128"'
NEW_WITHOUT_PLUGIN = '[ "$1" = buildx ] && exit 1; echo "Docker version 28.2.2, build e6534b4"'
BROKEN = "exit 127"


def path_of(folder: Path, *programs: str) -> dict[str, str]:
    """Give an environment whose PATH has the programs, each as `docker`, in this order."""
    folders = []
    for number, program in enumerate(programs):
        (folder / str(number)).mkdir()
        docker = folder / str(number) / "docker"
        docker.write_text(f"#!/bin/sh\n{program}\n")
        docker.chmod(0o755)
        folders.append(str(docker.parent))
    return {"PATH": ":".join([*folders, str(folder / "empty")])}


@pytest.mark.parametrize(
    ("programs", "which", "buildx"),
    [
        ((WITH_PLUGIN,), 0, True),
        ((OLD,), 0, False),
        ((NEW_WITHOUT_PLUGIN, OLD), 1, False),
        ((NEW_WITHOUT_PLUGIN, BROKEN, WITH_PLUGIN), 2, True),
    ],
)
def test_buildkit_is_found_in_whichever_docker_has_it(
    tmp_path: Path,
    programs: tuple[str, ...],
    which: int,
    buildx: bool,  # noqa: FBT001  # a table's column
) -> None:
    found = find_builder(path_of(tmp_path, *programs), BuilderChoice.AUTO)
    assert (found.kind, found.buildx) == (BuilderKind.BUILDKIT, buildx)
    assert found.cli == str(tmp_path / str(which) / "docker")


@pytest.mark.parametrize("programs", [(), (NEW_WITHOUT_PLUGIN,), (BROKEN,)])
def test_without_buildkit_auto_takes_the_classic_builder(
    tmp_path: Path, programs: tuple[str, ...]
) -> None:
    environ = path_of(tmp_path, *programs)
    assert find_builder(environ, BuilderChoice.AUTO).kind is BuilderKind.CLASSIC


def test_buildkit_that_was_asked_for_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no docker CLI here has it") as raised:
        find_builder(path_of(tmp_path, NEW_WITHOUT_PLUGIN), BuilderChoice.BUILDKIT)
    assert str(tmp_path / "0" / "docker") in raised.value.why
    assert "--builder classic" in raised.value.hint


def test_the_classic_builder_needs_no_docker_cli(tmp_path: Path) -> None:
    found = find_builder(path_of(tmp_path, WITH_PLUGIN), BuilderChoice.CLASSIC)
    assert found.kind is BuilderKind.CLASSIC
