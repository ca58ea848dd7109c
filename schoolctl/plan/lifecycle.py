"""The ECR lifecycle policy that comes closest to a prune, and where it differs. Pure.

Source: Amazon ECR user guide, "Lifecycle policy properties" and "Examples".
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.errors import UsageError
from schoolctl.text import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.plan.prune import Rules

_MOST_RULES = 50
_MOST_WILDCARDS = 4
_LONGEST_PATTERN = 128
_LONGEST_HALF = 60
_NEVER = 100_000
"""More images than a repository holds: a rule that claims images and lets none of them go."""
_OF_TAGS = re.compile(r"[A-Za-z0-9_.*-]+")
_GLOB_PART = re.compile(r"\[!?\]?[^]]*\]|\?|\*")


@dataclass(frozen=True)
class LifecyclePolicy:
    """A policy in the shape of PutLifecyclePolicy's text, and what a prune would do otherwise."""

    document: dict[str, object]
    differences: tuple[str, ...]

    def text(self) -> str:
        """Give the policy as `aws ecr put-lifecycle-policy --lifecycle-policy-text` takes it."""
        return json.dumps(self.document, indent=2)


def lifecycle_policy(rules: Rules) -> LifecyclePolicy:
    """Write the rules of a prune as a lifecycle policy that rather keeps more.

    Raises:
        UsageError: there are more protected tags than a policy has room for.
    """
    if len(rules.protect) >= _MOST_RULES:
        raise UsageError(
            f"{len(rules.protect)} protected tags are more than a lifecycle policy holds",
            why=f"ECR takes {_MOST_RULES} rules, and each protected tag is one",
            hint="protect by fewer patterns, such as `release-*`",
        )
    patterns = {each: found for each in rules.protect if (found := _pattern(each)) is not None}
    # An image that a rule claims is let alone by all rules after it.
    protecting = [
        _rule(
            number,
            f"keep {pattern}",
            {"tagStatus": "tagged", "tagPatternList": [pattern]},
            {"countType": "imageCountMoreThan", "countNumber": _NEVER},
        )
        for number, pattern in enumerate(dict.fromkeys(patterns.values()), 1)
    ]
    last = len(protecting) + 1
    return LifecyclePolicy(
        {"rules": [*protecting, _expiring(last, rules)]}, tuple(_differences(rules, patterns))
    )


def _rule(
    priority: int, description: str, which: dict[str, object], when: dict[str, object]
) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "description": description,
        "selection": {**which, **when},
        "action": {"type": "expire"},
    }


def _expiring(priority: int, rules: Rules) -> dict[str, object]:
    which: dict[str, object] = {"tagStatus": "untagged" if rules.untagged_only else "any"}
    if rules.untagged_only and rules.keep_days > 0:
        days = math.ceil(rules.keep_days)
        when = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
        return _rule(priority, f"delete untagged images after {count(days, 'day')}", which, when)
    kind = "untagged " if rules.untagged_only else ""
    when = {"countType": "imageCountMoreThan", "countNumber": rules.keep}
    return _rule(priority, f"keep the newest {rules.keep} {kind}images", which, when)


def _differences(rules: Rules, patterns: dict[str, str]) -> Iterator[str]:
    yield (
        "ECR does not know what is in use: the policy deletes images that tasks run, that a"
        " deployment needs and that a rollback would go to"
    )
    if rules.untagged_only and rules.keep_days > 0:
        yield f"the {rules.keep} newest images are not kept: by age, ECR counts none"
    elif rules.keep_days > 0:
        days = f"{rules.keep_days:g} days" if rules.keep_days != 1 else "a day"
        yield (
            f"images younger than {days} go, too, when {rules.keep} newer ones are there: a rule"
            " of ECR's counts images or days, not both"
        )
    for given, pattern in patterns.items():
        if given != pattern:
            yield f"tags like {given} become {pattern}, which keeps more: ECR knows only `*`"


def _pattern(glob: str) -> str | None:
    """Give a pattern of ECR's that matches all that a glob matches, and maybe more.

    None where no tag can be like the glob.
    """
    pattern = re.sub(r"\*+", "*", _GLOB_PART.sub("*", glob))
    if not _OF_TAGS.fullmatch(pattern):
        return None
    head, *rest = pattern.split("*")
    if len(rest) > _MOST_WILDCARDS or len(pattern) > _LONGEST_PATTERN:
        # What stood between the first and the last wildcard is matched by one, too.
        return f"{head[:_LONGEST_HALF]}*{rest[-1][-_LONGEST_HALF:]}" if rest else None
    return pattern
