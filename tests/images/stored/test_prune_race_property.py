"""Deployments that race with a prune: whatever comes between its calls, no deployed image is gone.

A small AWS on fakes: prune and deploy are written as the sequence of looks and changes that they
make, and the order in which these come is chosen by chance, two hundred times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest

from schoolctl.images.stored.family import Needs, Use, family_of
from schoolctl.images.stored.rules import Rules, plan_prune
from schoolctl.images.stored.steps import ConfirmUnused, DeleteImages
from tests.worlds.image_scenes import NOW, REPOSITORY, image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.model.images import Digest, Image

RULES = Rules(keep=1, keep_days=0)
INTERLEAVINGS = 200


@dataclass
class World:
    """A repository, what is deployed, and who holds the lock."""

    images: dict[Digest, Image]
    deployed: set[Digest] = field(default_factory=set)
    holder: str = ""

    def uses(self) -> tuple[Use, ...]:
        return tuple(
            Use("service web", f"service web runs {each.short}", digest=each)
            for each in sorted(self.deployed)
        )


def prune(world: World) -> Iterator[None]:
    """Look, plan, take the lock, look once more, delete: a yield wherever others may come in."""
    images = list(world.images.values())
    yield
    needs = Needs(world.uses(), 1)
    yield
    steps = plan_prune(REPOSITORY, images, needs, RULES, NOW).plan.steps
    if not steps:
        return
    while world.holder:
        yield
    world.holder = "prune"
    for step in steps:
        yield
        if isinstance(step, ConfirmUnused):
            if {use.digest for use in world.uses()} & {each.digest for each in step.images}:
                break
        elif isinstance(step, DeleteImages):
            for digest in step.digests:
                world.images.pop(digest, None)
                yield
    world.holder = ""


def deploy(world: World, wanted: Digest) -> Iterator[None]:
    """Take the lock, make sure of the image, bring the service to it."""
    while world.holder:
        yield
    world.holder = "deploy"
    yield
    if wanted in world.images:
        yield
        family = family_of(world.images.values())
        world.deployed = {wanted, *family.children.get(wanted, ())}
    yield
    world.holder = ""


@pytest.mark.parametrize("seed", range(INTERLEAVINGS))
def test_no_deployed_image_is_ever_gone(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # an order, not a secret
    images = [image(str(number), f"1.{number}", days=number) for number in range(1, 8)]
    images += [image("part", days=9), image("index", "2.0", days=8, children=("part",))]
    world = World({each.digest: each for each in images})
    world.deployed = {random.choice(images).digest}
    tagged = [each.digest for each in images if each.tags]
    running = [prune(world), prune(world)]
    running += [deploy(world, random.choice(tagged)) for _ in range(3)]
    while running:
        turn = random.choice(running)
        if next(turn, turn) is turn:
            running.remove(turn)
        assert world.deployed <= set(world.images)
