"""A revision that somebody else made names its image by a tag, which may have moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.ecs_service.define.target import image_target
from schoolctl.ecs_service.define.task_definition import render_task_definition
from schoolctl.model.services import Revision
from tests.worlds.deploy_scenes import NAMES, NOW, URI, chosen, config, digest, ref

if TYPE_CHECKING:
    from collections.abc import Collection

    from schoolctl.model.images import Digest


def reused(tag: str, pulled: Collection[Digest] | None) -> bool:
    """Say whether a deploy of the image a, which has the tag 1.0, uses the revision that runs."""
    definition = render_task_definition(config(), URI.tagged(tag), NAMES)
    running = Revision(ref(1), True, NOW, definition, (), {})
    image = replace(chosen("a"), tags=("1.0",))
    wanted = render_task_definition(config(), image.reference, NAMES)
    target = image_target(wanted, image, "web", running=running, newest=running, pulled=pulled)
    return target.revision == running


@pytest.mark.parametrize("pulled", [{digest("a")}, ()], ids=["by every task", "by none yet"])
def test_the_tag_of_the_same_image_is_no_difference(pulled: Collection[Digest]) -> None:
    assert reused("1.0", pulled)


def test_a_tag_that_moved_since_the_tasks_pulled_it_is_a_difference() -> None:
    assert not reused("1.0", {digest("a"), digest("b")})


def test_a_tag_whose_tasks_may_not_be_seen_proves_nothing() -> None:
    assert not reused("1.0", None)


def test_another_tag_is_a_difference() -> None:
    assert not reused("0.9", {digest("a")})
