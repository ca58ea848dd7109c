"""AWS limits the rate of calls: now and then it is waited for, and for ever it is said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from tests.faults import Call, refuse, refuse_times
from tests.matrix.cases import Matrix
from tests.matrix.scenes import SCENES
from tests.matrix.state import differences, dump
from tests.wire import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults import Exchange, Rule
    from tests.matrix.emulator import Emulator
    from tests.matrix.world import World

_BOUND_SECONDS = 120

some_scenes = pytest.mark.parametrize(
    "scene",
    [
        name if name == "params set" else pytest.param(name, marks=pytest.mark.faults)
        for name in SCENES
    ],
)


@pytest.fixture
def matrix(emulator: Emulator, tmp_path: Path, scene: str) -> Matrix:
    """Give the matrix of a scene."""
    return Matrix(emulator, tmp_path / "worlds", SCENES[scene])


@some_scenes
def test_two_throttles_on_every_call_are_waited_for(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = matrix.record()
    world = matrix.world()
    world.faults.on_all(refuse_times(Trouble.THROTTLED, 2))
    done = matrix.run(world)
    assert done.code == ExitCode.DONE, done
    assert differences(undisturbed.state, dump(world), interrupted=False) == []
    record_property("cases", 1)


@some_scenes
def test_throttled_for_ever_it_says_so_in_bounded_time(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    changing = matrix.record().changing()
    starts = [None, changing[0], changing[-1]]
    for start in starts:
        world = matrix.world()
        throttled = refuse(Trouble.THROTTLED)
        if start is None:
            world.faults.on_all(throttled)
        else:
            world.faults.at(start, _from_here_on(world, throttled))
        begun = time.monotonic()
        done = matrix.run(world)
        assert time.monotonic() - begun < _BOUND_SECONDS
        told = done.err if done.code == ExitCode.DONE else done.document["error"]["why"]
        assert "Rate exceeded" in told, done
        world.close()
    record_property("cases", len(starts))


def _from_here_on(world: World, throttled: Rule) -> Rule:
    def rule(exchange: Exchange) -> None:
        world.faults.on_all(throttled)
        throttled(exchange)

    return rule


@pytest.mark.faults
def test_throttled_during_the_whole_rollout_it_is_still_going_when_time_is_up(
    emulator: Emulator, tmp_path: Path
) -> None:
    matrix = Matrix(emulator, tmp_path / "worlds", SCENES["deploy"])
    world = matrix.world()
    throttled = refuse(Trouble.THROTTLED)
    world.faults.at(Call("DescribeServices", 2), _from_here_on(world, throttled))
    begun = time.monotonic()
    done = world.run("deploy", "--tag", "1.1", "--timeout", "5", "--json")
    assert time.monotonic() - begun < _BOUND_SECONDS
    assert done.code == ExitCode.TIMED_OUT, done
    world.close()
