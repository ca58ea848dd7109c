"""What the matrix needs: an emulator for each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.matrix.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Give a local AWS without an engine."""
    started = Emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    started.stop()
