"""Sandboxes on a real engine, each in a project of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import docker
import pytest

from tests.sandbox.engine.project import Project, make_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Bring up a sandbox that the tests look at and leave as it is."""
    project = make_project(tmp_path_factory.mktemp("sandbox") / "project")
    try:
        project.up()
        yield project
    finally:
        project.run("down", code=None)


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Project]:
    """Give a project whose sandbox the test brings up and treats badly."""
    project = make_project(tmp_path / "project")
    yield project
    project.run("down", code=None)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """Give the engine, to look behind the sandbox's back."""
    client = docker.from_env()
    yield client
    client.close()
