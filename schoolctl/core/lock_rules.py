"""The deploy lock as it is written: its holder, who may take it over, what to do about it.

Pure. The lock is a parameter in SSM; a run that holds it renews it, so that one that is no longer
renewed can be told from one that takes long.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from schoolctl.base.errors import BusyError, ConflictError
from schoolctl.base.plan import Plan, Step
from schoolctl.base.process_mark import ProcessMark
from schoolctl.base.text import ago, duration, iso, local_time

if TYPE_CHECKING:
    from typing import Any

    from schoolctl.config.models import Config


LEASE_SECONDS = 300
"""How long a lock stands after its last renewal: what a dead run on another host costs others."""
RENEW_SECONDS = 60.0
"""Four renewals in a row may fail, as while a network is away, and nothing is lost."""
SETTLE_SECONDS = 2.0
"""How long a lock that was taken over is left alone before it counts, for another's write."""

_LONGEST_LEASE = 3600
_LONGEST_TEXT = 300
"""A parameter takes 4 KB; nobody reads a longer command in an error."""


@dataclass(frozen=True)
class Holder:
    """One run that holds a lock, or asks for it.

    Attributes:
        id: of this run alone.
        who: the caller's ARN, or the user's name where no account is pinned.
        host: its name.
        pid: the process; 0 where it is not known.
        started: when that process started, and on which machine: pids are used again.
        command: what was typed.
        at: when it took the lock, by its own clock; None where it is not known.
        lease_seconds: how long the lock stands after it was last written.
        goal: the revision that it has set out to bring the service to, where a second run could
            not tell by what it finds; kept by whoever takes the lock over.
    """

    id: str
    who: str = ""
    host: str = ""
    pid: int = 0
    started: str = ""
    command: str = ""
    at: datetime | None = None
    lease_seconds: int = LEASE_SECONDS
    goal: str = ""

    @property
    def process(self) -> ProcessMark:
        """The process of the run."""
        return ProcessMark(self.pid, self.started)

    def document(self) -> dict[str, object]:
        """Give the holder for `--json`."""
        return {
            "id": self.id,
            "who": self.who or None,
            "host": self.host or None,
            "pid": self.pid or None,
            "command": self.command or None,
            "at": iso(self.at),
            "lease_seconds": self.lease_seconds,
        }


@dataclass(frozen=True)
class Found:
    """The lock as SSM has it.

    Attributes:
        holder: who wrote it.
        idle_seconds: how long ago it was written last, by SSM's own clock.
        now: the time by SSM's own clock.
        version: how often it was written.
    """

    holder: Holder
    idle_seconds: float
    now: datetime
    version: int

    @property
    def left_seconds(self) -> float:
        """How much of the lease is left; negative once it ran out."""
        return self.holder.lease_seconds - self.idle_seconds


class Standing(Enum):
    """What a lock means to the run that asks for it."""

    FREE = "free"
    OURS = "ours"
    DEAD = "its process is dead"
    RAN_OUT = "its lease ran out"
    BUSY = "busy"


def judge(found: Found | None, me: Holder, *, ended: bool) -> Standing:
    """Decide what a lock that was found means.

    Args:
        found: the lock; None where there is none.
        me: who asks.
        ended: whether this machine knows of the holder's process, and that it has ended.

    Returns:
        DEAD and RAN_OUT may be taken over. OURS is our own write, whose reply was lost.
    """
    if found is None:
        return Standing.FREE
    if found.holder.id == me.id:
        return Standing.OURS
    if ended and found.holder.host == me.host:
        return Standing.DEAD
    return Standing.RAN_OUT if found.left_seconds < 0 else Standing.BUSY


def lock_name(config: Config) -> str:
    """Give the name of the parameter that is an environment's lock."""
    return f"/schoolctl/{config.app}/{config.environment}/lock"


def plan_free(name: str, found: Found | None, id_: str, *, here: bool, ended: bool) -> Plan:
    """Plan to free a lock by hand.

    Args:
        name: the lock's.
        found: the lock; None where there is none.
        id_: the id that was named; only the lock with this id is freed.
        here: whether this machine is the holder's.
        ended: whether the holder's process is known to have ended.

    Raises:
        ConflictError: the lock has another id.
    """
    if found is None:
        return Plan("", (), nothing=f"nothing to do: nobody holds the deploy lock {name}")
    if found.holder.id != id_:
        raise wrong_id(name, id_, found)
    warnings = []
    if here and not ended:
        warnings.append(f"that run is still at work here (pid {found.holder.pid})")
    elif not ended and found.left_seconds > 0:
        warnings.append("that run may still be at work: if it is, it stops before its next change")
    return Plan(
        f"free the deploy lock {name}, which another run has.",
        (FreeLock(name, id_),),
        notes=(f"held by {about(found)}",),
        warnings=tuple(warnings),
        deletes=True,
    )


# As it is written


def render_holder(holder: Holder) -> str:
    """Write a holder as the lock's value; `parse_holder` reads it."""
    return json.dumps(
        {
            "id": holder.id,
            "who": _short(holder.who),
            "host": _short(holder.host),
            "pid": holder.pid,
            "started": holder.started,
            "command": _short(holder.command),
            "at": iso(holder.at),
            "lease_seconds": holder.lease_seconds,
            "goal": holder.goal,
        }
    )


def _short(text: str) -> str:
    # SSM refuses `{{...}}`, which it takes for a reference.
    return text[:_LONGEST_TEXT].replace("{{", "{ {")


def parse_holder(text: str) -> Holder:
    """Read a lock's value.

    What is damaged, or was written by something else, is a holder too: one of whom nothing is
    known, with an id made of the content, so that it can be freed by its id as any other.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not told["id"].strip():
        return Holder(f"unknown-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
    return Holder(
        id=told["id"],
        who=_text(told, "who"),
        host=_text(told, "host"),
        pid=_number(told, "pid", 2**31 - 1) or 0,
        started=_text(told, "started"),
        command=_text(told, "command"),
        at=_moment(_text(told, "at")),
        lease_seconds=_number(told, "lease_seconds", _LONGEST_LEASE) or LEASE_SECONDS,
        goal=_text(told, "goal"),
    )


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""


def _number(told: dict[str, Any], key: str, most: int) -> int | None:
    value = told.get(key)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
    return value if known else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# As it is told


def about(found: Found) -> str:
    """Say who holds a lock, where, since when, and what for: one line."""
    holder = found.holder
    if not holder.host:
        return f"its content is not schoolctl's; it was written {duration(found.idle_seconds)} ago"
    taken = f", since {local_time(holder.at)} ({ago(holder.at, found.now)})" if holder.at else ""
    return f"{holder.who} on {holder.host}, pid {holder.pid}{taken}: {holder.command}"


def shown(name: str, found: Found | None, *, ended: bool) -> tuple[dict[str, object], list[str]]:
    """Give what `lock show` says of a lock: the document, and the lines."""
    if found is None:
        return {"lock": name, "held": False}, [f"nobody holds {name}"]
    holder = found.holder
    standing = judge(found, replace(holder, id=""), ended=ended)
    document = {
        "lock": name,
        "held": True,
        "state": standing.value,
        "holder": holder.document(),
        "renewed_seconds_ago": round(found.idle_seconds),
        "left_seconds": max(0, round(found.left_seconds)),
    }
    if standing is Standing.BUSY:
        state = f"busy; unless it is renewed, it runs out in {duration(found.left_seconds)}"
    else:
        state = f"{standing.value}: the next deploy takes it over"
    taken = f"{local_time(holder.at)} ({ago(holder.at, found.now)})" if holder.at else "unknown"
    return document, [
        f"lock    {name}",
        f"id      {holder.id}",
        f"who     {holder.who or 'unknown'}",
        f"where   {f'{holder.host}, pid {holder.pid}' if holder.host else 'unknown'}",
        f"since   {taken}",
        f"renewed {duration(found.idle_seconds)} ago",
        f"command {holder.command or 'unknown'}",
        f"state   {state}",
    ]


class LockHeldError(BusyError):
    """Somebody else holds the lock."""

    def __init__(self, what: str, found: Found, option: str) -> None:
        super().__init__(what, why=about(found), hint=_how_to_go_on(found, option))
        self._holder = found.holder.document()

    def document(self) -> dict[str, object]:
        """Give the error as it stands in the one JSON document of `--json`."""
        return {**super().document(), "holder": self._holder}


def _how_to_go_on(found: Found, option: str) -> str:
    return (
        f"wait for it with `--lock-wait SECONDS`, or look at it: `schoolctl{option} lock show`\n"
        f"if that run is gone: `schoolctl{option} lock release --id {found.holder.id}`"
        f" (unless it is renewed, it runs out in {duration(found.left_seconds)})"
    )


def held_by_another(name: str, found: Found, option: str = "") -> LockHeldError:
    """Give the error for a lock that somebody else holds.

    `option` is what a command needs to name the lock's environment: ` -e prod`, or nothing.
    """
    who = found.holder.who or "somebody unknown"
    return LockHeldError(f"{who} holds the deploy lock {name}", found, option)


def lost_to(name: str, found: Found | None, option: str = "") -> BusyError:
    """Give the error for a lock that was ours and is no longer."""
    what = f"the deploy lock {name} was lost on the way; nothing more was changed"
    if found is None:
        return BusyError(
            what, why="somebody freed it", hint="run it again: what is done is not done twice"
        )
    return LockHeldError(what, found, option)


def wrong_id(name: str, id_: str, found: Found) -> ConflictError:
    """Give the error for freeing a lock under an id that is not its own."""
    return ConflictError(
        f"the deploy lock {name} was not freed: its id is not {id_}",
        why=about(found),
        hint="`schoolctl lock show` tells the id of whoever holds it now",
    )


@dataclass(frozen=True)
class FreeLock(Step):
    """Delete the deploy lock, if it still has this id."""

    name: str
    id: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"free the deploy lock {self.name}"


AnyLockStep = FreeLock
