"""What the tests of permissions need: an emulator that enforces IAM, for each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.matrix.emulator import Emulator
from tests.permissions.guarded import Guarded
from tests.permissions.scenes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.permissions.scenes import Scene


@pytest.fixture(scope="session")
def guarded_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Give a local AWS that enforces IAM."""
    started = Emulator(tmp_path_factory.mktemp("guarded-emulator"), auth=True)
    yield started
    started.stop()


@pytest.fixture
def new_world(
    guarded_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Scene], Guarded]]:
    """Give what makes an account of its own, as a scene wants it."""
    made: list[Guarded] = []

    def make(scene: Scene) -> Guarded:
        while made:
            made.pop().forget()
        world = Guarded(guarded_emulator, tmp_path / "world", monkeypatch)
        made.append(world)
        running(world)
        scene.prepare(world)
        world.judged_by.clear()
        return world

    yield make
    for world in made:
        world.forget()
