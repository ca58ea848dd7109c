"""The project that the benchmarks deploy: a copy of this one's service."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_project(folder: Path) -> Path:
    """Copy the configuration, the Dockerfile and the service into a new directory of `folder`."""
    directory = folder / "project"
    directory.mkdir()
    for name in ("schoolctl.yaml", "Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, directory / name)
    shutil.copytree(
        ROOT / "service", directory / "service", ignore=shutil.ignore_patterns("__pycache__")
    )
    return directory
