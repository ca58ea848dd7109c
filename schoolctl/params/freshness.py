"""Which parameters and secrets changed after the running tasks had read them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.text import ago, iso
from schoolctl.params.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from schoolctl.model.services import Task


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
