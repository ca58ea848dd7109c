"""Sixteen deploys at once: one deploys, the others say who does."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from tests.faults import Call, pass_on
from tests.matrix.cases import Matrix
from tests.matrix.scenes import SCENES
from tests.matrix.state import differences, dump

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from tests.faults import Exchange
    from tests.matrix.emulator import Emulator

_AT_ONCE = 16


def test_of_sixteen_deploys_at_once_one_deploys_and_fifteen_name_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    matrix = Matrix(emulator, tmp_path / "worlds", SCENES["deploy"])
    alone = matrix.record()
    world = matrix.world()
    others_are_done = threading.Event()

    def hold(exchange: Exchange) -> None:
        # On a slow machine the first could be through before the last has begun.
        others_are_done.wait(240)
        pass_on(exchange)

    world.faults.at(Call("UpdateService", 1), hold)
    started = [world.start("deploy", "--tag", "1.1", "--json") for _ in range(_AT_ONCE)]
    ended = threading.Semaphore(0)

    def finish(process: Popen[str]) -> tuple[str, str]:
        try:
            return process.communicate(timeout=240)
        finally:
            ended.release()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = {each.pid: pool.submit(finish, each) for each in started}
        for _ in range(_AT_ONCE - 1):
            ended.acquire(timeout=240)
        others_are_done.set()
    codes = {each.pid: each.returncode for each in started}
    documents = {pid: json.loads(each.result()[0]) for pid, each in waiting.items()}
    winners = [pid for pid, code in codes.items() if code == ExitCode.DONE]

    assert sorted(codes.values()) == [ExitCode.DONE] + [ExitCode.BUSY] * (_AT_ONCE - 1)
    assert documents[winners[0]]["verdict"] == "completed"
    for pid, document in documents.items():
        if pid not in winners:
            assert document["error"]["holder"]["pid"] == winners[0]
            assert f"pid {winners[0]}" in waiting[pid].result()[1]
    assert differences(alone.state, dump(world), interrupted=False) == []
