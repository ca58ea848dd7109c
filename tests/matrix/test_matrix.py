"""Whatever happens to a call of a command, running it again ends where an undisturbed run does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.matrix.cases import ABSORBED, KILLS, REFUSALS, Matrix, Undisturbed, run_all
from tests.matrix.scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.matrix.emulator import Emulator

_recorded: dict[str, Undisturbed] = {}

# Hundreds of runs of the command, each a process.
pytestmark = pytest.mark.timeout(3600)


def cases(*slice_: str) -> pytest.MarkDecorator:
    """Go through every call of every scene with `make test-faults`; else those of `slice_`."""
    return pytest.mark.parametrize(
        ("scene", "calls"),
        [
            *(pytest.param(scene, "changing") for scene in slice_),
            *(pytest.param(scene, "all", marks=pytest.mark.faults) for scene in SCENES),
        ],
    )


@pytest.fixture
def matrix(emulator: Emulator, tmp_path: Path, scene: str) -> Matrix:
    """Give the matrix of a scene."""
    return Matrix(emulator, tmp_path / "worlds", SCENES[scene])


@pytest.fixture
def undisturbed(matrix: Matrix, scene: str) -> Undisturbed:
    """Give what the scene's command does when nothing happens to it, recorded once."""
    if scene not in _recorded:
        _recorded[scene] = matrix.record()
    return _recorded[scene]


@cases("params set", "first deploy")
def test_killed_at_any_call_and_run_again(
    matrix: Matrix,
    undisturbed: Undisturbed,
    calls: str,
    record_property: Callable[[str, object], None],
) -> None:
    if calls == "changing":
        kills = {"killed after": KILLS["killed after"]}
        count = run_all(matrix.killed, undisturbed, undisturbed.changing(), kills)
    else:
        count = run_all(matrix.killed, undisturbed, undisturbed.calls, KILLS)
    record_property("cases", count)


@cases("params set", "first deploy")
def test_a_reply_that_is_lost_is_no_failure_and_no_repetition(
    matrix: Matrix,
    undisturbed: Undisturbed,
    calls: str,
    record_property: Callable[[str, object], None],
) -> None:
    if calls == "changing":
        lost = {"reply lost": ABSORBED["reply lost"]}
        count = run_all(matrix.absorbed, undisturbed, undisturbed.changing(), lost)
    else:
        count = run_all(matrix.absorbed, undisturbed, undisturbed.calls, ABSORBED)
    record_property("cases", count)


@cases()
def test_refused_at_any_call_and_run_again(
    matrix: Matrix,
    undisturbed: Undisturbed,
    calls: str,
    record_property: Callable[[str, object], None],
) -> None:
    assert calls == "all"
    record_property("cases", run_all(matrix.refused, undisturbed, undisturbed.calls, REFUSALS))
