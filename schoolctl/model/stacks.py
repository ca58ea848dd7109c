"""CloudFormation stacks: template, state, changes, events."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_GOOD = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
_DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}

STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class StackState:
    """A stack as CloudFormation describes it. `status` is AWS's word, such as CREATE_COMPLETE."""

    name: str
    id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    """Whether it may not be deleted before that is taken back."""
    changed_at: datetime | None = None

    @property
    def in_progress(self) -> bool:
        """Whether an operation is going on; a change set under review is none."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class StackEvent:
    """What became of one resource, or of the stack itself."""

    id: str
    at: datetime
    logical_id: str
    type: str
    status: str
    reason: str = ""
    physical_id: str = ""
    token: str = ""
    """Of the operation that it belongs to."""

    @property
    def of_stack(self) -> bool:
        """Whether it is about the stack as a whole."""
        return self.type == STACK_TYPE

    @property
    def failed(self) -> bool:
        """Whether something did not work."""
        return self.status.endswith("_FAILED")


@dataclass(frozen=True)
class ResourceChange:
    """What an update does with one resource.

    Attributes:
        action: Add, Modify, Remove, Import or Dynamic.
        replacement: True, False or Conditional for a Modify; else empty.
        properties: the names of the properties that change.
    """

    logical_id: str
    type: str
    action: str
    replacement: str = ""
    physical_id: str = ""
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChangeSet:
    """A change set. `status` and `execution` are AWS's words."""

    name: str
    id: str
    status: str
    execution: str = ""
    reason: str = ""
    changes: tuple[ResourceChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it failed for want of changes."""
        words = ("didn't contain changes", "No updates are to be performed")
        return self.status == "FAILED" and any(each in self.reason for each in words)


@dataclass(frozen=True)
class Drift:
    """A resource that is no longer as the template says."""

    logical_id: str
    type: str
    status: str
    """MODIFIED or DELETED."""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """What CloudFormation is given."""

    document: Mapping[str, Any]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The template as JSON."""
        return json.dumps(self.document, indent=1)

    @property
    def fingerprint(self) -> str:
        """Digits that are the same for the same template, parameters and tags, and no others."""
        parts = [self.document, dict(self.parameters), dict(self.tags)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Condition(Enum):
    """What can be done with a stack."""

    ABSENT = auto()
    """There is none, or only one under review: it can be created."""
    READY = auto()
    """It can be changed."""
    DEAD = auto()
    """Creating or deleting it failed: it can only be deleted."""
    BUSY = auto()
    """Something is being done with it."""
    STUCK = auto()
    """Somebody has to look at it."""


def condition_of(stack: StackState | None) -> Condition:
    """Say what can be done with a stack; None where there is none."""
    if stack is None or stack.status == "REVIEW_IN_PROGRESS":
        return Condition.ABSENT
    if stack.in_progress:
        return Condition.BUSY
    if stack.status in _GOOD:
        return Condition.READY
    return Condition.DEAD if stack.status in _DEAD else Condition.STUCK
