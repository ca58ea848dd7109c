"""Which revision a one-off task runs."""

from __future__ import annotations

import pytest

from schoolctl.base.errors import NotFoundError
from schoolctl.ecs_service.run.rules import plan_run, revision_of_image
from schoolctl.model.images import Digest
from schoolctl.model.services import Revision, TaskDefinitionRef, running_revision
from tests.worlds.scenes import COMPLETED, FAILED, NEW, OLD, deployment, old, service

DIGEST = Digest("sha256:" + "a" * 64)


def revision(number: int, image: str) -> Revision:
    return Revision(TaskDefinitionRef("web", number), True, None, {}, (image,), {})  # active


def test_the_completed_deployment_runs() -> None:
    assert running_revision(service(deployment(state=COMPLETED))) == NEW


def test_while_a_rollout_is_under_way_the_one_before_it_runs() -> None:
    assert running_revision(service(deployment(), old())) == OLD


def test_the_primary_is_preferred_among_the_completed() -> None:
    assert running_revision(service(old(), deployment(state=COMPLETED))) == NEW


def test_without_a_completed_deployment_the_services_revision_is_taken() -> None:
    assert running_revision(service(deployment(state=FAILED))) == NEW


def test_the_newest_revision_with_the_image_is_found_by_digest() -> None:
    revisions = [revision(3, "r/web@sha256:" + "b" * 64), revision(2, f"r/web@{DIGEST}")]
    assert revision_of_image(revisions, "1.0", DIGEST).revision == 2


def test_a_revision_that_names_the_tag_is_found_too() -> None:
    assert revision_of_image([revision(2, "r/web:1.0")], "1.0", None).revision == 2


def test_a_longer_tag_is_another_tag() -> None:
    with pytest.raises(NotFoundError, match=r"no revision runs the image 1\.0"):
        revision_of_image([revision(2, "r/web:v1.0")], "1.0", None)


def test_a_service_without_a_network_is_refused() -> None:
    with pytest.raises(NotFoundError, match="has no network configuration"):
        plan_run(service(deployment()), NEW, container="web", command=(), timeout_seconds=1)
