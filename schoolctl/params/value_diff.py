"""How the values of two places differ, without the values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schoolctl.params.rules import Entry, Kind, Stored


class State(StrEnum):
    """How a value here compares with the one there."""

    EQUAL = "equal"
    DIFFERS = "differs"
    ONLY_HERE = "only_here"
    ONLY_THERE = "only_there"
    IN_NEITHER = "in_neither"
    NOT_COMPARED = "not_compared"


_SAME = (State.EQUAL, State.IN_NEITHER)


@dataclass(frozen=True)
class Compared:
    """One value that either place may have."""

    key: str
    kind: Kind
    state: State

    def text(self, here: str, there: str) -> str:
        """Say it for people; the places by name."""
        match self.state:
            case State.ONLY_HERE:
                return f"only in {here}"
            case State.ONLY_THERE:
                return f"only in {there}"
            case _:
                return self.state.replace("_", " ")

    def document(self) -> dict[str, str]:
        """Give it for JSON."""
        return {"key": self.key, "kind": str(self.kind), "state": str(self.state)}


def compare_values(
    here: Mapping[Entry, Stored], there: Mapping[Entry, Stored]
) -> tuple[Compared, ...]:
    """Compare what two places hold, key by key, in the order of `here`, then of `there`."""
    left, right = _by_key(here), _by_key(there)
    return tuple(
        Compared(key, kind, _state(left.get((key, kind)), right.get((key, kind))))
        for key, kind in dict.fromkeys((*left, *right))
    )


def any_difference(compared: Iterable[Compared]) -> bool:
    """Say whether anything differs; what could not be compared may."""
    return any(each.state not in _SAME for each in compared)


def _by_key(stored: Mapping[Entry, Stored]) -> dict[tuple[str, Kind], Stored]:
    return {(entry.key, entry.kind): each for entry, each in stored.items()}


def _state(here: Stored | None, there: Stored | None) -> State:
    is_here, is_there = _is_there(here), _is_there(there)
    if is_here is None or is_there is None:
        return State.NOT_COMPARED
    if not (is_here and is_there):
        if is_here == is_there:
            return State.IN_NEITHER
        return State.ONLY_HERE if is_here else State.ONLY_THERE
    if here is None or there is None or here.value is None or there.value is None:
        return State.NOT_COMPARED
    return State.EQUAL if here.value == there.value else State.DIFFERS


def _is_there(stored: Stored | None) -> bool | None:
    """Say whether there is a value; one that is to be deleted counts as none."""
    if stored is None or stored.deleted_at is not None:
        return False
    return stored.exists
