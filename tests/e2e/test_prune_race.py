"""Pruning while somebody deploys: whoever comes first, what is deployed keeps its image."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Finished, Sandbox

_CLEAR = (-6.0, 6.0)
"""How much later prune begins in the first rounds: one that it cannot lose (it deletes the oldest
version, which is deployed then), and one that it cannot win."""
_TAGS = ("race-a", "race-b", "race-c")
_PRUNE = ("images", "prune", "--keep", "1", "--older-than", "0d", "--yes", "--lock-wait", "120")


def _push(sandbox: Sandbox, tag: str) -> None:
    """Push a version of its own for a tag."""
    marker = sandbox.directory / "service" / "templates" / "race.txt"
    marker.write_text(f"{tag}\n")
    try:
        sandbox.run("push", "--tag", tag)
    finally:
        marker.unlink()


def _race(sandbox: Sandbox, deploy: tuple[str, ...], lead_seconds: float) -> list[Finished]:
    """Deploy and prune at once; prune begins so much later, or earlier where it is negative."""

    def after(seconds: float, args: tuple[str, ...]) -> Finished:
        time.sleep(max(0.0, seconds))
        return sandbox.run(*args, code=None)

    with ThreadPoolExecutor(2) as pool:
        deploying = pool.submit(after, -lead_seconds, deploy)
        pruning = pool.submit(after, lead_seconds, _PRUNE)
        return [deploying.result(), pruning.result()]


@pytest.mark.timeout(1200)  # rounds of pushes, a rollout and a prune
@pytest.mark.parametrize("rounds", [6, pytest.param(20, marks=pytest.mark.faults)])
def test_a_deployed_image_is_never_gone(own_sandbox: Sandbox, rounds: int) -> None:
    sandbox = own_sandbox
    chance = random.Random(20261124)  # noqa: S311  # moments, not secrets
    won = {"deploy": 0, "prune": 0}
    for number in range(rounds):
        there = {tag for each in sandbox.json("images", "list")["images"] for tag in each["tags"]}
        for tag in _TAGS:
            if tag not in there:
                _push(sandbox, tag)
        running = sandbox.json("status")["tag"]
        tag = chance.choice([each for each in _TAGS if each != running]) if number else _TAGS[0]
        waits = number % 2 == 0
        deploy = ("deploy", "--tag", tag, "--lock-wait", "120", *(() if waits else ("--no-wait",)))
        # The first two rounds are one each way; who comes first in the others is left to chance.
        lead = _CLEAR[number] if number < len(_CLEAR) else chance.uniform(-3, 1)
        deployed, pruned = _race(sandbox, deploy, lead)
        # What came into use between its plan and its turn ends a prune before it deletes anything.
        assert pruned.code == 0 or "has come into use" in pruned.err, pruned.err
        # Where prune was first, the image is gone before anything ran it, and deploy says so.
        assert deployed.code in {0, 1}, deployed.err
        won["deploy" if deployed.code == 0 else "prune"] += 1
        if deployed.code == 1:
            assert f"image {tag} in repository" in deployed.err, deployed.err
        if deployed.code == 0 and not waits:
            sandbox.run("wait", "--timeout", "120")
        status = sandbox.json("status")
        assert status["tag"] == (tag if deployed.code == 0 else running)
        digests = {each["digest"] for each in sandbox.json("images", "list")["images"]}
        assert status["digest"] in digests
        assert status["running"] >= status["desired"]
    assert min(won.values()) > 0, f"all rounds went the same way: {won}"
