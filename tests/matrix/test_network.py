"""The network on the emulator: what the sandbox lays, and a repair that is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting, StaticKeys
from schoolctl.model.values import SecretValue
from schoolctl.network.observe import observe_network
from schoolctl.network.rules import check_network
from schoolctl.sandbox.seed import account_names, seed_account
from tests.conftest import REGION
from tests.matrix.scenes import SCENES
from tests.matrix.state import dump
from tests.matrix.world import World
from tests.worlds.deploy_scenes import config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.matrix.emulator import Emulator


@pytest.fixture
def clients(emulator: Emulator) -> Iterator[Clients]:
    """Give the clients of an empty account of the emulator."""
    keys = StaticKeys(emulator.new_account(), SecretValue("testing"))
    made = Clients(
        Connection(
            credentials=Setting(None, "test"),
            region=Setting(REGION, "test"),
            endpoint_url=Setting(emulator.url, "test"),
            keys=keys,
        )
    )
    yield made
    made.close()


def test_the_network_of_the_sandbox_is_as_documented(clients: Clients) -> None:
    names = "network: {service_group: schoolApp-ecs-sg}"
    seed_account(clients, account_names(config(names)), database_port=3306)
    found = check_network(config(names), observe_network(clients, config(names)))
    assert [each.what for each in found] == []


def test_a_network_that_is_half_laid_is_repaired_once(emulator: Emulator, tmp_path: Path) -> None:
    world = World(emulator, tmp_path / "world")
    scene = SCENES["network apply"]
    scene.prepare(world)
    assert world.run(*scene.words).code == 0
    groups = dump(world)["security_groups"]
    world.faults.calls.clear()
    again = world.run(*scene.words)
    assert "nothing to do: the groups of schoolapp in dev are as documented" in again.err
    assert not any("SecurityGroup" in each for each in world.faults.calls if _changes(each))
    assert dump(world)["security_groups"] == groups
    world.forget()


def _changes(call: str) -> bool:
    return not call.startswith("Describe")
