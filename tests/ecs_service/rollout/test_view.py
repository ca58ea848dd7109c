"""What a user is told to do after a rollout that did not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.ecs_service.rollout.verdict import RolledBack
from schoolctl.ecs_service.rollout.view import failure
from tests.worlds.scenes import NEW, OLD, deployment

if TYPE_CHECKING:
    from schoolctl.model.services import TaskDefinitionRef


@pytest.mark.parametrize(
    ("to", "advice"),
    [
        (OLD, "when it is mended: `schoolctl push`, then `schoolctl deploy`"),
        # A restart: the image ran before, so another one mends nothing.
        (NEW, "when it is mended: `schoolctl restart`"),
    ],
    ids=["to another revision", "to the same revision"],
)
def test_what_was_rolled_back_is_tried_again_as_it_was_begun(
    to: TaskDefinitionRef, advice: str
) -> None:
    verdict = RolledBack("tasks failed to start", to, finished=True)
    error = failure(verdict, deployment(), "school/web", seconds=9, report=None)
    assert error.hint == advice
