"""`push` with a real engine: killed at calls of AWS and at requests to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.matrix.cases import ABSORBED, KILLS, REFUSALS, Matrix, Undisturbed, run_all
from tests.matrix.scenes import PUSH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults import Call
    from tests.matrix.emulator import Emulator

pytestmark = [
    pytest.mark.faults,
    pytest.mark.engine,
    pytest.mark.xdist_group("push"),
    pytest.mark.timeout(3600),
]


@pytest.fixture
def matrix(emulator: Emulator, tmp_path: Path) -> Matrix:
    """Give the matrix of a push."""
    return Matrix(emulator, tmp_path / "worlds", PUSH)


def of_aws(undisturbed: Undisturbed) -> list[Call]:
    """Give the calls of the command itself; the engine answers for those to the registry."""
    return [each for each in undisturbed.calls if " " not in each.operation]


def test_killed_at_any_call_and_run_again(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.killed, undisturbed, undisturbed.calls, KILLS))


def test_a_reply_that_is_lost_is_no_failure(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.absorbed, undisturbed, of_aws(undisturbed), ABSORBED))


def test_refused_at_any_call_and_run_again(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    record_property("cases", run_all(matrix.refused, undisturbed, undisturbed.calls, REFUSALS))
