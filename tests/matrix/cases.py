"""Runs a command once for each of its calls and each thing that may happen to that call."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults import fail_after, kill_after, kill_before, lose_reply, refuse
from tests.matrix.state import differences, dump
from tests.matrix.world import World
from tests.wire import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.faults import Call, Rule
    from tests.matrix.emulator import Emulator
    from tests.matrix.scenes import Scene
    from tests.matrix.state import State
    from tests.matrix.world import Finished

KILLS: dict[str, Rule] = {"killed before": kill_before, "killed after": kill_after}
"""The command is gone, and is run again."""
ABSORBED: dict[str, Rule] = {"reply lost": lose_reply, "500 after": fail_after}
"""The call was carried out, and the command does not know: it is no failure."""
REFUSALS: dict[str, Rule] = {
    "denied": refuse(Trouble.DENIED),
    "expired": refuse(Trouble.EXPIRED),
}
"""The command ends with an error, unless it can do without the call; and is run again."""

# Read for as long as it takes: the first ones stand for all.
_POLLED = {
    "DescribeServices": 3,
    "DescribeTasks": 2,
    "GetLogEvents": 2,
    "HEAD blobs": 2,
    "ListServiceDeployments": 1,
    "ListTasks": 2,
}
# Asked beside DescribeServices, and not waited for where there is no service: the command may have
# ended when a kill comes after the answer.
_NOT_AWAITED = {"ListTasks"}
_READS = ("Describe", "Get", "List", "BatchGet", "HEAD", "GET")
# Most of a case is waiting: for the command's own pauses, and for its processes to start.
_AT_ONCE = 4 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class Undisturbed:
    """What a run of a scene's command calls and leaves when nothing happens to it."""

    calls: tuple[Call, ...]
    state: State

    def changing(self) -> tuple[Call, ...]:
        """Give the calls that change something."""
        return tuple(each for each in self.calls if not each.operation.startswith(_READS))


class Matrix:
    """One scene, in as many worlds as it takes."""

    def __init__(self, emulator: Emulator, folder: Path, scene: Scene) -> None:
        self._emulator = emulator
        self._folder = folder
        self._scene = scene
        self._numbers = itertools.count()

    def world(self) -> World:
        """Give a new world, prepared for the scene."""
        world = World(self._emulator, self._folder / str(next(self._numbers)))
        self._scene.prepare(world)
        return world

    def run(self, world: World) -> Finished:
        """Run the scene's command; what it prints is one document, unless it was killed."""
        finished = world.run(*self._scene.words, "--json", stdin=self._scene.stdin)
        if finished.code != -signal.SIGKILL:
            json.loads(finished.out)
        return finished

    def record(self) -> Undisturbed:
        """Run the command undisturbed, and see that running it again changes nothing."""
        world = self.world()
        done = self.run(world)
        assert done.code == 0, done
        calls = [
            each
            for each in world.faults.numbered()
            if each.nth <= _POLLED.get(each.operation, each.nth)
        ]
        undisturbed = Undisturbed(tuple(calls), dump(world))
        assert undisturbed.state["locks"] == {}
        world.close()
        return undisturbed

    def killed(self, undisturbed: Undisturbed, call: Call, rule: Rule) -> list[str]:
        """Kill the command at a call and run it again; gives what is wrong with the end."""
        world = self.world()
        world.faults.at(call, rule)
        first = self.run(world)
        if first.code == 0 and rule is not kill_before and call.operation in _NOT_AWAITED:
            wrong = differences(undisturbed.state, dump(world), interrupted=False)
            world.close()
            return wrong
        if first.code != -signal.SIGKILL:
            return [f"it was not killed: {first}"]
        world.faults.heal()
        wrong = []
        if rule is kill_before or call.operation != self._scene.over_with:
            second = self.run(world)
            wrong += [] if second.code == 0 else [f"the second run ended so: {second}"]
        wrong += differences(undisturbed.state, dump(world), interrupted=True)
        world.close()
        return wrong

    def absorbed(self, undisturbed: Undisturbed, call: Call, rule: Rule) -> list[str]:
        """Let one call fail after it was carried out; gives what is wrong with the end."""
        world = self.world()
        world.faults.at(call, rule)
        done = self.run(world)
        wrong = [f"the call never came: {unused}" for unused in world.faults.unused()]
        if done.code != 0:
            wrong.append(f"it ended so: {done}")
        wrong += differences(undisturbed.state, dump(world), interrupted=False)
        world.close()
        return wrong

    def refused(self, undisturbed: Undisturbed, call: Call, rule: Rule) -> list[str]:
        """Refuse one call, and run the command again; gives what is wrong with the end."""
        world = self.world()
        world.faults.at(call, rule)
        first = self.run(world)
        wrong = [f"the call never came: {unused}" for unused in world.faults.unused()]
        if "Traceback" in first.err:
            wrong.append(f"it ended so: {first}")
        world.faults.heal()
        if not self._is_over(first):
            second = self.run(world)
            wrong += [] if second.code == 0 else [f"the second run ended so: {second}"]
        wrong += differences(undisturbed.state, dump(world), interrupted=True)
        world.close()
        return wrong

    def _is_over(self, finished: Finished) -> bool:
        """Say whether a run made its change, where making it again is another one."""
        if not self._scene.changes_with:
            return False
        done = finished.document.get("error", {}).get("done", ())
        return finished.code == 0 or any(each.startswith(self._scene.changes_with) for each in done)


def run_all(
    check: Callable[[Undisturbed, Call, Rule], list[str]],
    undisturbed: Undisturbed,
    calls: Sequence[Call],
    rules: dict[str, Rule],
) -> int:
    """Check every call with every rule, several at once; gives how many cases there were.

    Raises:
        AssertionError: what is wrong, for every case in which something is.
    """
    cases = [(call, name) for call in calls for name in rules]

    def one(case: tuple[Call, str]) -> list[str]:
        call, name = case
        try:
            wrong = check(undisturbed, call, rules[name])
        except subprocess.TimeoutExpired as error:
            wrong = [str(error)]
        return [f"{name} {call}: {each}" for each in wrong]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        wrong = list(_flat(pool.map(one, cases)))
    assert not wrong, "\n".join(wrong)
    return len(cases)


def _flat(lists: Iterator[list[str]]) -> Iterator[str]:
    return itertools.chain.from_iterable(lists)
