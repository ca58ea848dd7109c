"""CloudFormation stacks, their changes and their events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

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
