"""The lifecycle policy that comes closest to a prune, by ECR's rules, and what is said of it."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.errors import UsageError
from schoolctl.plan.lifecycle import lifecycle_policy
from schoolctl.plan.prune import Rules


def rules_of(rules: Rules) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lifecycle_policy(rules).text())["rules"]
    return found


def test_protected_tags_come_first_and_the_newest_last() -> None:
    first, last = rules_of(Rules(10, 0, ("release-*",)))
    assert first == {
        "rulePriority": 1,
        "description": "keep release-*",
        "selection": {
            "tagStatus": "tagged",
            "tagPatternList": ["release-*"],
            "countType": "imageCountMoreThan",
            "countNumber": 100_000,
        },
        "action": {"type": "expire"},
    }
    assert last == {
        "rulePriority": 2,
        "description": "keep the newest 10 images",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": 10,
        },
        "action": {"type": "expire"},
    }


def test_untagged_images_go_by_their_age() -> None:
    (rule,) = rules_of(Rules(10, 1.5, untagged_only=True))
    assert rule["selection"] == {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 2,
    }


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (Rules(10, 0), "ECR does not know what is in use"),
        (Rules(10, 14), "images younger than 14 days go, too, when 10 newer ones are there"),
        (Rules(10, 14, untagged_only=True), "the 10 newest images are not kept"),
        (Rules(10, 0, ("v?.0",)), "tags like v?.0 become v*.0, which keeps more"),
    ],
)
def test_where_it_differs_is_told(rules: Rules, told: str) -> None:
    assert any(line.startswith(told) for line in lifecycle_policy(rules).differences)


def test_more_protected_tags_than_a_policy_holds_are_refused() -> None:
    with pytest.raises(UsageError, match="50 protected tags"):
        lifecycle_policy(Rules(10, 0, tuple(f"v{number}" for number in range(50))))


GLOBS = st.text(alphabet="ab1-*?[]!", min_size=1, max_size=14)
TAGS = st.from_regex(r"[ab1][ab1-]{0,12}", fullmatch=True)


@given(st.lists(GLOBS, max_size=4), st.lists(TAGS, min_size=1, max_size=5), st.integers(1, 99))
def test_every_tag_that_a_prune_protects_is_protected_by_the_policy(
    globs: list[str], tags: list[str], keep: int
) -> None:
    *protecting, last = rules_of(Rules(keep, 0, tuple(globs)))
    patterns = [each["selection"]["tagPatternList"][0] for each in protecting]
    for tag in tags:
        if any(fnmatchcase(tag, glob) for glob in globs):
            assert any(ecr_matches(pattern, tag) for pattern in patterns)
    assert last["selection"]["tagStatus"] == "any"


def ecr_matches(pattern: str, tag: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) is not None


@given(
    st.lists(GLOBS, max_size=49),
    st.integers(1, 1000),
    st.sampled_from([0, 0.5, 1, 14]),
    st.sampled_from(["", "untagged"]),
)
def test_the_policy_is_one_that_ecr_takes(
    globs: list[str], keep: int, days: float, only: str
) -> None:
    rules = Rules(keep, days, tuple(globs), untagged_only=bool(only))
    policy = lifecycle_policy(rules)
    assert 100 <= len(policy.text()) <= 30_720
    found = rules_of(rules)
    assert [each["rulePriority"] for each in found] == list(range(1, len(found) + 1))
    patterns = [each["selection"].get("tagPatternList", []) for each in found]
    for pattern in (each for group in patterns for each in group):
        assert pattern.count("*") <= 4
        assert re.fullmatch(r"[A-Za-z0-9_.*-]{1,128}", pattern)
    assert all(each["selection"]["countNumber"] >= 1 for each in found)
    assert sum(each["selection"]["tagStatus"] == "any" for each in found) <= 1
