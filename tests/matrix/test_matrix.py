"""Whatever happens to a call of a command, running it again ends where an undisturbed run does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.matrix.cases import ABSORBED, KILLS, REFUSALS, Matrix, run_all
from tests.matrix.scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.matrix.emulator import Emulator

Record = "Callable[[str, object], None]"

every_scene = pytest.mark.parametrize("scene", SCENES)


@pytest.fixture
def matrix(emulator: Emulator, tmp_path: Path, scene: str) -> Matrix:
    """Give the matrix of a scene."""
    return Matrix(emulator, tmp_path / "worlds", SCENES[scene])


@every_scene
@pytest.mark.faults
def test_killed_at_any_call_and_run_again(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.killed, undisturbed, undisturbed.calls, KILLS))


@every_scene
@pytest.mark.faults
def test_a_reply_that_is_lost_is_no_failure_and_no_repetition(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.absorbed, undisturbed, undisturbed.calls, ABSORBED))


@every_scene
@pytest.mark.faults
def test_refused_at_any_call_and_run_again(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.refused, undisturbed, undisturbed.calls, REFUSALS))
