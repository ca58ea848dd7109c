"""Whether the repository has to be made, and how one that is there differs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.plan import Plan
from schoolctl.images.push.steps import CreateRepository

if TYPE_CHECKING:
    from schoolctl.model.images import Repository


def plan_repository(name: str, there: Repository | None) -> Plan:
    """Give the step that makes the repository; none where it is there, whatever its settings.

    A repository that somebody set up otherwise is not changed: who else uses it is not known.
    """
    if there is None:
        return Plan(f"create repository {name}", (CreateRepository(name),))
    return Plan(
        f"create repository {name}",
        (),
        nothing=f"nothing to do: repository {name} is there",
        warnings=tuple(differences(there)),
    )


def differences(there: Repository) -> list[str]:
    """Give a sentence for each setting in which a repository is not as `repo create` makes one."""
    found = (tag_rule_differs(there), scanning_differs(there))
    return [f"repository {there.name} {what} ({cure})" for what, cure in filter(None, found)]


def tag_rule_differs(there: Repository) -> tuple[str, str] | None:
    """Give which tags can be moved to other content, and the cure; None where none can."""
    cure = (
        f"`aws ecr put-image-tag-mutability --repository-name {there.name}"
        " --image-tag-mutability IMMUTABLE`"
    )
    if not there.immutable_tags:
        return "has mutable tags: another tool can move a tag to other content", cure
    if there.tag_exclusions:
        excluded = ", ".join(there.tag_exclusions)
        return f"has tags that another tool can move to other content: {excluded}", cure
    return None


def scanning_differs(there: Repository) -> tuple[str, str] | None:
    """Give that nothing looks for known weaknesses, and the cure; None where ECR scans on push."""
    if there.scan_on_push:
        return None
    cure = (
        f"`aws ecr put-image-scanning-configuration --repository-name {there.name}"
        " --image-scanning-configuration scanOnPush=true`"
    )
    return "does not scan on push", cure
