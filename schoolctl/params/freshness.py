"""Who reads a value, how it is delivered, and whether it changed after tasks read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from schoolctl.base.text import ago, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from schoolctl.model.services import Revision, Task


@dataclass(frozen=True)
class Stamp:
    """When a parameter or secret was written last; None where there is none of that name."""

    name: str
    kind: str
    changed_at: datetime | None
    delivery: Delivery | None = None
    """How the running tasks get it; None where that is not known."""

    @property
    def is_reread(self) -> bool:
        """Whether a service can read it again while it runs: a secret that it reads by itself."""
        return self.kind == "secret" and self.delivery is Delivery.BY_NAME


@dataclass(frozen=True)
class Freshness:
    """What the tasks read at their start, against what it is now.

    Attributes:
        stamps: the declared parameters and secrets that could be looked at.
        started_at: when the oldest task that runs started; None where none runs.
        unread: what could not be looked at, and why.
    """

    stamps: tuple[Stamp, ...]
    started_at: datetime | None
    unread: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[Stamp, ...]:
        """Those that changed after the oldest task started, the newest change first."""
        if self.started_at is None:
            return ()
        found = [
            (each.changed_at, each)
            for each in self.stamps
            if each.changed_at is not None and each.changed_at > self.started_at
        ]
        return tuple(each for _, each in sorted(found, key=lambda pair: pair[0], reverse=True))

    @property
    def stale(self) -> tuple[Stamp, ...]:
        """Those of `changed` that new tasks alone read again."""
        return tuple(each for each in self.changed if not each.is_reread)

    def in_use(self, name: str) -> bool | None:
        """Say whether the running tasks have an entry as it is now.

        None where it is not known: none runs, it could not be read, or it changed and the tasks
        read it by themselves, whenever they see fit.
        """
        stamp = next((each for each in self.stamps if each.name == name), None)
        if stamp is None or stamp.changed_at is None or self.started_at is None:
            return None
        if stamp.changed_at <= self.started_at:
            return True
        return None if stamp.is_reread else False

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that do not exist."""
        return tuple(each.name for each in self.stamps if each.changed_at is None)

    def lines(self, now: datetime) -> list[str]:
        """Give it for people; the first line says how it stands."""
        lines = [
            f"{each.kind} {each.name} changed {ago(each.changed_at, now)}, after the tasks started"
            for each in self.changed
            if each.changed_at is not None
        ]
        stale = self.stale
        if stale:
            them = "it" if len(stale) == 1 else "them"
            lines.append(f"`schoolctl restart` lets the tasks read {them} anew")
        lines += [
            f"{each.name} needs no restart where the service reads it again when the database"
            " refuses the old one, as the registration service does"
            for each in self.changed
            if each.is_reread
        ]
        lines += [f"{name} is not there: `schoolctl params set`" for name in self.missing]
        if not lines and self.stamps and self.started_at is not None:
            lines.append(f"none of {len(self.stamps)} changed since the tasks started")
        return [*lines, *(f"not verified: {each}" for each in self.unread)]

    def document(self) -> dict[str, object]:
        """Give it for JSON."""
        changed = set(self.changed)
        return {
            "oldest_task_started_at": iso(self.started_at),
            "changed": [each.name for each in self.changed],
            "needs_restart": [each.name for each in self.stale],
            "missing": list(self.missing),
            "not_verified": list(self.unread),
            "entries": [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "changed_at": iso(each.changed_at),
                    "changed_after_start": each in changed,
                    "delivery": each.delivery,
                }
                for each in self.stamps
            ],
        }


def oldest_start(tasks: Iterable[Task]) -> datetime | None:
    """Give when the oldest of the tasks that go on running started."""
    starts = [
        each.started_at
        for each in tasks
        if each.started_at is not None and each.desired_status != "STOPPED"
    ]
    return min(starts, default=None)


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


class Delivery(StrEnum):
    """How a container gets a value."""

    INJECTED = "injected"
    """ECS reads the value when it starts the container, and puts it into a variable (`secrets`)."""
    BY_NAME = "by name"
    """A variable has the name or ARN, and the container reads the value by itself."""


def delivery_of(definition: Mapping[str, object], *names: str) -> Delivery | None:
    """Say how the containers of a task definition get a value; None where none of them does.

    Args:
        definition: in the shape of RegisterTaskDefinition.
        names: the parameter's or secret's name and ARN.

    Source: ECS ContainerDefinition; a secret's `valueFrom` may go on with a field and a version.
    """
    wanted = {each for each in names if each}
    for _, source in _pairs(definition, "secrets", "valueFrom"):
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX[:field:stage:version]
        arn = ":".join(source.split(":")[:7]) if ":secret:" in source else source
        plain = source.partition(":parameter")[2] if ":parameter/" in source else source
        if wanted & {source, arn, plain}:
            return Delivery.INJECTED
    if any(value in wanted for _, value in _pairs(definition, "environment", "value")):
        return Delivery.BY_NAME
    return None


def _pairs(definition: Mapping[str, object], key: str, value: str) -> Iterator[tuple[str, str]]:
    containers = definition.get("containerDefinitions")
    for container in containers if isinstance(containers, list | tuple) else ():
        listed = container.get(key) if isinstance(container, Mapping) else None
        for each in listed if isinstance(listed, list | tuple) else ():
            if isinstance(each, Mapping):
                yield str(each.get("name", "")), str(each.get(value, ""))
