"""Taking a revision out of use. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import ago
from schoolctl.images.stored.steps import DeregisterTaskDefinitions
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.model.services import Revision

_REVISION = re.compile(r"(?:([A-Za-z0-9_-]{1,255}):)?([1-9][0-9]{0,8})")


def parse_revision(text: str, family: str) -> TaskDefinitionRef:
    """Read `12`, a revision of `family`, or `web:12`; anything else is a `UsageError`."""
    found = _REVISION.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no revision",
            why="a revision is a number, or FAMILY:NUMBER",
            hint="`schoolctl taskdef list` shows those there are",
        )
    return TaskDefinitionRef(found[1] or family, int(found[2]))


def plan_deregister(revision: Revision, used_by: Sequence[str], now: datetime) -> Plan:
    """Give the step that makes a revision INACTIVE.

    Args:
        revision: as ECS has it.
        used_by: the services, deployments and tasks that are at it.
        now: the present time.

    Raises:
        ConflictError: something is at it.
    """
    ref = revision.ref
    if used_by:
        raise ConflictError(
            f"{ref} is in use; nothing was changed",
            why=f"{', '.join(used_by)} is at it, and could start no further task of it",
            hint="deploy another revision first",
        )
    completed = revision.completed_at
    return Plan(
        f"deregister {ref}.",
        (DeregisterTaskDefinitions((ref,)),) if revision.active else (),
        nothing=f"nothing to do: {ref} is INACTIVE already",
        notes=(f"it completed {ago(completed, now)}: a rollback may want it",)
        if completed is not None and revision.active
        else (),
        asks=True,
    )
