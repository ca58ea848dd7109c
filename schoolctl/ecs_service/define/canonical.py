"""The canonical form of AWS settings, and the overrides between two forms of a definition. Pure.

ECS answers a request with its defaults filled in, empty lists added and lists in another order.
In the canonical form defaults and empty values are left out, and lists whose order means nothing
are sorted or, where their items have a key, are mappings by that key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

Canonical: TypeAlias = "dict[str, Canonical] | tuple[Canonical, ...] | str | int | float | bool"

_KEYS = ("name", "containerName", "containerPath", "namespace", "sourceContainer")
"""Members that identify an item of a list, the first that all items have."""
_UNORDERED = frozenset({"requiresCompatibilities", "add", "drop", "subnets", "securityGroups"})
"""Lists of plain values whose order means nothing; that of a command means everything."""
_ORDERED = frozenset({"environmentFiles"})
"""Lists of mappings whose order means something: the first file that sets a variable wins."""
_DEFAULTS: Mapping[str, object] = {
    "cpuArchitecture": "X86_64",
    "iam": "DISABLED",
    "operatingSystemFamily": "LINUX",
    "protocol": "tcp",
    "restartAttemptPeriod": 300,
    "rootDirectory": "/",
    "transitEncryption": "DISABLED",
    "transitEncryptionPort": 0,
    "versionConsistency": "enabled",
}
"""What a member means on Fargate where it is left out; mostly ECS fills it in."""
_CONTAINER: Mapping[str, object] = {"cpu": 0, "stopTimeout": 30}
_HEALTH_CHECK: Mapping[str, object] = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
_PROXY: Mapping[str, object] = {"type": "APPMESH"}
_SAID_DEFAULTS: Mapping[str, Canonical] = {
    "cpuArchitecture": "X86_64",
    "operatingSystemFamily": "LINUX",
    "stopTimeout": 30,
    "transitEncryption": "DISABLED",
}
_VCPU = re.compile(r"([0-9.]+)\s*vcpu", re.IGNORECASE)
_GIGABYTES = re.compile(r"([0-9.]+)\s*gb", re.IGNORECASE)
_UNITS = 1024


def without_defaults(definition: Mapping[str, object]) -> dict[str, object]:
    """Give a task definition in AWS's shape without what means nothing: defaults and empty values.

    Args:
        definition: a RegisterTaskDefinition request, or ECS's answer to it.

    Source: ECS RegisterTaskDefinition (defaults of its members).
    """
    made = {
        **definition,
        "cpu": _units(definition.get("cpu"), _VCPU),
        "memory": _units(definition.get("memory"), _GIGABYTES),
        "containerDefinitions": [
            _container(each) for each in _mappings(definition.get("containerDefinitions"))
        ],
        "proxyConfiguration": _without(definition.get("proxyConfiguration"), _PROXY),
    }
    made.pop("tags", None)
    return without_empty(made)


def canonical_definition(definition: Mapping[str, object]) -> dict[str, Canonical]:
    """Give the canonical form of a RegisterTaskDefinition request or of ECS's answer to it."""
    return _keyed_map(without_defaults(definition))


def canonical_map(value: Mapping[str, object]) -> dict[str, Canonical]:
    """Give a mapping of an AWS request or answer without defaults and empty values."""
    return _keyed_map(without_empty(value))


def canonical_value(value: object, key: str) -> Canonical:
    """Give the canonical form of what stands under the member `key`, without its defaults."""
    return _keyed(value, key)


def default_of(key: str) -> Canonical | None:
    """Give what a member means where the canonical form has none; None where it means nothing."""
    return True if key == "essential" else _SAID_DEFAULTS.get(key)


# Without defaults


def without_empty(value: Mapping[str, object]) -> dict[str, object]:
    """Give a mapping of AWS's without empty values, flags that are off, and common defaults."""
    made = {key: _bare(each) for key, each in value.items()}
    return {key: each for key, each in made.items() if not _means_nothing(key, each)}


def _bare(value: object) -> object:
    match value:
        case Mapping():
            return without_empty(value)
        case str() | bool() | int() | float() | None:
            return value
        case Sequence():
            return [_bare(each) for each in value]
        case _:
            return str(value)


def _means_nothing(key: str, value: object) -> bool:
    match value:
        case bool():
            # The one flag that is on where it is left out.
            return value if key == "essential" else not value
        case int() | float():
            return bool(_DEFAULTS.get(key) == value)
        case str():
            # A variable that is empty is there all the same.
            return (not value and key != "value") or _DEFAULTS.get(key) == value
        case _:
            return not value


def _container(container: Mapping[str, object]) -> dict[str, object]:
    """Leave out of a container what depends on its other members."""
    made = _without(container, _CONTAINER)
    made["portMappings"] = [_port(each) for each in _mappings(container.get("portMappings"))]
    made["healthCheck"] = _without(container.get("healthCheck"), _HEALTH_CHECK)
    return made


def _without(value: object, defaults: Mapping[str, object]) -> dict[str, object]:
    given = value if isinstance(value, Mapping) else {}
    return {
        key: each for key, each in given.items() if key not in defaults or each != defaults[key]
    }


def _port(mapping: Mapping[str, object]) -> dict[str, object]:
    # Under awsvpc the host's port is the container's; ECS fills it in.
    made = dict(mapping)
    if made.get("hostPort") in {0, made.get("containerPort")}:
        made.pop("hostPort", None)
    return made


def _units(value: object, unit: re.Pattern[str]) -> object:
    """Read `0.5 vCPU` or `1 GB` as ECS stores it: CPU units, MiB."""
    found = unit.fullmatch(str(value or "").strip())
    return str(round(float(found[1]) * _UNITS)) if found else value


def _mappings(value: object) -> list[Mapping[str, object]]:
    items = value if isinstance(value, list | tuple) else ()
    return [each for each in items if isinstance(each, Mapping)]


# By key, in one order


def _keyed_map(value: Mapping[str, object]) -> dict[str, Canonical]:
    return {
        key: _keyed(each, key) for key, each in value.items() if each is not None and each != ""
    }


def _keyed(value: object, key: str) -> Canonical:
    match value:
        case Mapping():
            return _keyed_map(value)
        case str() | bool() | int() | float():
            return value
        case Sequence():
            return _list(value, key)
        case _:
            return str(value)


def _list(values: Sequence[object], key: str) -> Canonical:
    items = tuple(_keyed(each, key) for each in values)
    if items and key not in _ORDERED and all(isinstance(each, dict) for each in items):
        return _by_key(items) or tuple(sorted(items, key=_sortable))
    return tuple(sorted(items, key=_sortable)) if key in _UNORDERED else items


def _by_key(items: Sequence[Canonical]) -> dict[str, Canonical] | None:
    """Give items by the member that identifies them; None where none does."""
    for name in _KEYS:
        found: dict[str, Canonical] = {
            str(item[name]): {key: each for key, each in item.items() if key != name} or True
            for item in items
            if isinstance(item, dict) and name in item
        }
        if len(found) == len(items):
            return found
    return None


def _sortable(value: Canonical) -> str:
    return json.dumps(value, sort_keys=True)


# The overrides between two forms


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
