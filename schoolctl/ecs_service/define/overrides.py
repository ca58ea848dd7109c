"""The smallest `overrides` that turn what the configuration makes into what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from schoolctl.ecs_service.define.canonical import canonical_value, without_defaults


def definition_overrides(
    made: Mapping[str, object], wanted: Mapping[str, object]
) -> dict[str, object]:
    """Give the `task.overrides` with which a configuration makes just the task definition wanted.

    Args:
        made: what it makes without overrides, in the shape of RegisterTaskDefinition.
        wanted: likewise, or what ECS tells of a revision.

    Returns:
        A mapping to be merged over `made`, as `apply_overrides` does: `None` removes a member.
    """
    return _map(without_defaults(made), without_defaults(wanted), made)


def _map(
    made: Mapping[str, object], wanted: Mapping[str, object], given: Mapping[str, object]
) -> dict[str, object]:
    """Compare mappings; `given` is `made` with its defaults."""
    found: dict[str, object] = {}
    for key in (*made, *(key for key in wanted if key not in made)):
        if key not in wanted:
            # By their names, where they have some: what is added to them later stays.
            found[key] = _between(made[key], [], given.get(key)) if _by_name(made[key]) else None
        elif key not in made:
            found[key] = wanted[key]
        elif canonical_value(made[key], key) != canonical_value(wanted[key], key):
            found[key] = _between(made[key], wanted[key], given.get(key))
    return found


def _between(made: object, wanted: object, given: object) -> object:
    if isinstance(made, Mapping) and isinstance(wanted, Mapping):
        return _map(made, wanted, given if isinstance(given, Mapping) else made)
    old, new = _by_name(made), _by_name(wanted)
    if old is None or new is None:
        return wanted  # as a whole: so are lists merged whose items have no names
    full = _by_name(given) or old
    changed = [_item(name, old[name], new.get(name), full[name]) for name in old]
    added = [item for name, item in new.items() if name not in old]
    return [*(each for each in changed if len(each) > 1), *added]


def _item(
    name: str,
    made: Mapping[str, object],
    wanted: Mapping[str, object] | None,
    given: Mapping[str, object],
) -> dict[str, object]:
    if wanted is None:
        return {"name": name, **dict.fromkeys((key for key in given if key != "name"), None)}
    return {"name": name, **_map(made, wanted, given)}


def _by_name(items: object) -> dict[str, Mapping[str, object]] | None:
    """Give the items of a list by name; None where merging does not know them by it either."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    found: dict[str, Mapping[str, object]] = {}
    for item in items:
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = cast("Mapping[str, object]", item)
    return found
