"""Who reads a parameter: the variables of the revisions that the service runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from schoolctl.model.services import Revision


class InUse(StrEnum):
    """Whether the running tasks have the value that is stored now."""

    YES = "yes"
    NOT_YET = "not yet"
    NOT_READ = "not read"
    NO_TASK = "no task runs"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Use:
    """What the service runs, and since when.

    Attributes:
        revisions: those of its tasks and deployments that could be read.
        started_at: when the oldest of its tasks started; None where none runs.
        unread: why something of it could not be read; empty where all was.
    """

    revisions: tuple[Revision, ...]
    started_at: datetime | None
    unread: str = ""

    def of(self, name: str, changed_at: datetime | None) -> InUse:
        """Say whether the tasks read a parameter as it is since `changed_at`."""
        if self.unread:
            return InUse.UNKNOWN
        if self.started_at is None:
            return InUse.NO_TASK
        if not self.readers(name):
            return InUse.NOT_READ
        if changed_at is not None and changed_at > self.started_at:
            return InUse.NOT_YET
        return InUse.YES

    def readers(self, name: str) -> list[str]:
        """Give who reads a parameter: `PARAM_HOST_PATH of school-backend:7`, the oldest first."""
        return [
            f"{variable} of {revision.ref}"
            for revision in self.revisions
            for variable in dict.fromkeys(variables_of(revision.definition, name))
        ]


def variables_of(definition: Mapping[str, object], name: str) -> Iterator[str]:
    """Give the variables of a task definition that hold a parameter's name, or get its value.

    Source: ECS, ContainerDefinition: `environment` (value), `secrets` (valueFrom: name or ARN).
    """
    containers = definition.get("containerDefinitions")
    for container in containers if isinstance(containers, list | tuple) else ():
        for each in container.get("environment") or ():
            if each.get("value") == name:
                yield str(each.get("name"))
        for each in container.get("secrets") or ():
            told = str(each.get("valueFrom"))
            # Of `arn:...:parameter/a/b`, the name begins with the slash.
            if told == name or (told.startswith("arn:") and told.endswith(f":parameter{name}")):
                yield str(each.get("name"))
