"""Whom a role's trust policy lets take the role. Pure.

Source: ECS guide, "Task execution IAM role": the trust in `ecs-tasks.amazonaws.com`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TASKS = "ecs-tasks.amazonaws.com"
_TAKE = "sts:assumerole"
TASKS_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)
"""The trust policy of a role for tasks, as a command line takes it."""


def trusts_tasks(document: str) -> bool:
    """Say whether a trust policy lets ECS's tasks take the role.

    Conditions are taken to hold: those that AWS advises narrow it down to the role's own account.

    Args:
        document: JSON; what cannot be read trusts nobody.
    """
    try:
        policy = json.loads(document)
    except ValueError:
        return False
    if not isinstance(policy, Mapping):
        return False
    matching = [each for each in _statements(policy) if _is_about_tasks(each)]
    effects = {each.get("Effect") for each in matching}
    return "Allow" in effects and "Deny" not in effects


def _statements(policy: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for each in _many(policy.get("Statement")):
        if isinstance(each, Mapping):
            yield each


def _is_about_tasks(statement: Mapping[str, object]) -> bool:
    principal = statement.get("Principal")
    named = _many(principal.get("Service")) if isinstance(principal, Mapping) else _many(principal)
    if not {_TASKS, "*"} & {str(each) for each in named}:
        return False
    return any(fnmatchcase(_TAKE, str(each).lower()) for each in _many(statement.get("Action")))


def _many(value: object) -> list[object]:
    """Give what a policy says of one thing or a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
