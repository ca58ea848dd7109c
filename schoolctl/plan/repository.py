"""Whether the repository has to be made, and how one that is there differs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.plan.steps import CreateRepository, Plan

if TYPE_CHECKING:
    from schoolctl.model import Repository


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
    found = []
    if not there.immutable_tags:
        found.append(
            f"repository {there.name} has mutable tags: another tool can move a tag to other"
            f" content (`aws ecr put-image-tag-mutability --repository-name {there.name}"
            " --image-tag-mutability IMMUTABLE`)"
        )
    elif there.tag_exclusions:
        found.append(
            f"repository {there.name} has tags that another tool can move to other content:"
            f" {', '.join(there.tag_exclusions)} (`aws ecr put-image-tag-mutability"
            f" --repository-name {there.name} --image-tag-mutability IMMUTABLE`)"
        )
    if not there.scan_on_push:
        found.append(
            f"repository {there.name} does not scan on push (`aws ecr"
            f" put-image-scanning-configuration --repository-name {there.name}"
            " --image-scanning-configuration scanOnPush=true`)"
        )
    return found
