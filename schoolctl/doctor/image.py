"""Judgements on the repository and what is in it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import WrongTargetError
from schoolctl.doctor.verdict import Verdict, fail, of_error, of_gaps, ok, warn
from schoolctl.images.push.refusal import check_registry
from schoolctl.images.push.rules import scanning_differs, tag_rule_differs

if TYPE_CHECKING:
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.target import ChosenImage
    from schoolctl.model.images import Repository


def judge_repository(config: Config, found: Repository | None) -> Verdict:
    """Judge whether the repository exists, where the images are pushed to."""
    if found is None:
        name = config.image.repository
        return of_gaps(lambda gaps: gaps.lacks_for(f"repository {name}", "repo create"), "")
    try:
        check_registry(found.uri.registry, found.arn, config.environment)
    except WrongTargetError as error:
        return of_error(error)
    return ok(f"{found.uri}, encrypted ({found.encryption})")


def judge_tag_rule(found: Repository | None) -> Verdict:
    """Judge whether a tag can be moved to another image."""
    if found is None:
        raise AssertionError("a repository that is not there is not judged")
    differs = tag_rule_differs(found)
    return warn(*differs) if differs else ok("immutable: no tag can be moved to another image")


def judge_scanning(found: Repository | None) -> Verdict:
    """Judge whether ECR looks for known weaknesses in what is pushed."""
    if found is None:
        raise AssertionError("a repository that is not there is not judged")
    differs = scanning_differs(found)
    return warn(*differs) if differs else ok("on push")


def judge_newest(newest: ChosenImage | None) -> Verdict:
    """Judge whether there is anything to deploy."""
    if newest is None:
        return warn("none has a tag of a release yet", "`schoolctl push --tag 1.0`")
    return ok(f"the newest is {newest.label}")


def judge_running_image(reference: str, tag: str | None, *, exists: bool | None) -> Verdict:
    """Judge whether the image of the revision that runs can be pulled again.

    Args:
        reference: as the revision names it.
        tag: what it was deployed as; None where that is not known.
        exists: None where it is in another registry.
    """
    if not reference:
        return ok("nothing runs yet")
    if exists is None:
        return ok(f"{reference} is in another registry")
    if not exists:
        return fail(
            f"{tag or reference} is gone: a task that ends is not replaced",
            f"push the same content again (`schoolctl push{f' --tag {tag}' if tag else ''}`), or"
            " deploy one that is there: `schoolctl deploy`",
        )
    return ok(f"{tag or reference} is there")
