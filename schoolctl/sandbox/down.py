"""Take a sandbox down: everything it made goes, and nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import yaml

from schoolctl.sandbox import database, emulator, images, overlay
from schoolctl.sandbox.engine import has_neighbours, own_containers, remove_containers
from schoolctl.sandbox.layout import load_state, locked, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker.client import DockerClient

    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.layout import Layout


def down(
    docker: DockerClient,
    layout: Layout,
    clock: Clock,
    tell: Callable[[str], None],
    *,
    with_images: bool,
) -> tuple[str, ...]:
    """Remove the sandbox of `layout`; what has gone already is no error.

    Args:
        docker: the engine.
        layout: which sandbox.
        clock: for the waits.
        tell: shows a line of progress.
        with_images: also remove the images of the sandbox's registry and, unless another sandbox
            is there, the base images, which are otherwise kept for the next time.

    Returns:
        A line for each thing that was removed; empty when there was nothing.
    """
    if not layout.root.exists() and not with_images:
        return ()
    with locked(layout):
        port = _recorded_port(layout)
        removed = _stop_emulator(layout, port, clock, tell)
        removed += _remove_containers(docker, layout, tell)
        if with_images:
            removed += _remove_images(docker, layout, port, tell)
        removed += _remove_files(layout)
    _remove_if_empty(layout.root)
    return tuple(removed)


def _recorded_port(layout: Layout) -> int | None:
    try:
        state = load_state(layout.state_file)
    except Exception:  # noqa: BLE001  # a damaged file is no reason to leave the rest standing
        return None
    return None if state is None else state.port


def _stop_emulator(
    layout: Layout, port: int | None, clock: Clock, tell: Callable[[str], None]
) -> list[str]:
    process = emulator.running(layout)
    if process is None and port is not None:
        process = emulator.adopt(layout, port)
    if process is None:
        return []
    tell("stopping the emulator and its tasks")
    emulator.stop(layout, process, clock)
    return [f"emulator (process {process.pid})"]


def _remove_containers(
    docker: DockerClient, layout: Layout, tell: Callable[[str], None]
) -> list[str]:
    # The emulator removes its tasks' containers when it ends, except one that a service was
    # starting at that moment; the engine may even be making it while we look.
    removed: list[str] = []
    while containers := own_containers(docker, layout):
        if not removed:
            tell("removing the database")
        remove_containers(docker, containers)
        removed += [f"container {each.name}" for each in containers]
    if database.remove_volume(docker, layout):
        removed.append(f"volume {database.container_name(layout)}")
    return removed


def _remove_images(
    docker: DockerClient, layout: Layout, port: int | None, tell: Callable[[str], None]
) -> list[str]:
    shared = has_neighbours(docker, layout)
    if shared:
        tell("keeping the base images: another sandbox on this machine builds on them")
    count = images.remove_images(docker, port=port, base_images=not shared)
    return [f"{count} image names"] if count else []


def _remove_files(layout: Layout) -> list[str]:
    removed = []
    if _clean_overlay(layout.root / f"{layout.environment}.yaml"):
        removed.append(f".schoolctl/{layout.environment}.yaml")
    if layout.dotenv_file.exists():
        layout.dotenv_file.unlink()
        removed.append(f".schoolctl/{layout.environment}.env")
    if layout.folder.exists():
        shutil.rmtree(layout.folder)
        removed.append(f".schoolctl/{layout.environment}/")
    return removed


def _clean_overlay(path: Path) -> bool:
    """Take our keys out of the overlay, and the file away where nothing else is in it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    kept = overlay.without(values, overlay.OUR_KEYS) if isinstance(values, dict) else {}
    if kept == values:
        return False
    if kept:
        write_private(path, yaml.safe_dump(kept, sort_keys=False))
    else:
        path.unlink()
    return True


def _remove_if_empty(root: Path) -> None:
    if {each.name for each in root.iterdir()} <= {".gitignore"}:
        shutil.rmtree(root)
