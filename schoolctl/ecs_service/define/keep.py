"""`{keep}`: a value that stands in no file, and is taken from the revision before.

A task definition may hold a password in plain text. A configuration that is made from it, and
that git keeps, says `{keep}` in its place: what a deploy registers then has the value that the
revision before it has, until somebody moves it to Secrets Manager.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEP = "{keep}"


def kept_places(definition: Mapping[str, object]) -> tuple[str, ...]:
    """Name each place of a task definition that still says `{keep}`."""
    return tuple(_places(definition, ""))


def fill_kept(definition: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    """Give a task definition with the values of `before` for each `{keep}` that has one there.

    Items of a list are the same that have the same `name`; without names, those that stand at the
    same place in lists of the same length.
    """
    return cast("dict[str, object]", _fill(definition, before))


def _fill(value: object, before: object) -> object:
    match value:
        case Mapping():
            known = before if isinstance(before, Mapping) else {}
            return {key: _fill(each, known.get(key)) for key, each in value.items()}
        case str():
            return before if value == KEEP and isinstance(before, str) else value
        case Sequence():
            old = _matching(value, before)
            return [_fill(each, there) for each, there in zip(value, old, strict=True)]
        case _:
            return value


def _matching(items: Sequence[object], before: object) -> list[object]:
    """Give for each item the one of `before` that it goes by; None where there is none."""
    there = before if isinstance(before, list | tuple) else ()
    if all(_name(item) for item in items):
        named = {_name(each): each for each in there}
        return [named.get(_name(item)) for item in items]
    return list(there) if len(there) == len(items) else [None] * len(items)


def _name(item: object) -> str:
    return str(item.get("name") or "") if isinstance(item, Mapping) else ""


def _places(value: object, where: str) -> Iterator[str]:
    match value:
        case Mapping():
            name = _name(value)
            for key, each in value.items():
                is_value = name and key == "value"
                inside = where if is_value else f"{where}.{key}".lstrip(".")
                yield from _places(each, inside)
        case str():
            if value == KEEP:
                yield where
        case Sequence():
            for number, each in enumerate(value):
                yield from _places(each, f"{where}[{_name(each) or number}]")
        case _:
            pass
