"""One form for everything that means the same to AWS, to compare what is wanted with what is.

ECS answers a request with its defaults filled in, empty lists added and lists in another order.
In the canonical form defaults and empty values are left out, and lists whose order means nothing
are sorted or, where their items have a key, are mappings by that key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Canonical: TypeAlias = "dict[str, Canonical] | tuple[Canonical, ...] | str | int | float | bool"

_KEYS = ("name", "containerName", "containerPath", "namespace", "sourceContainer")
"""Members that identify an item of a list, the first that all items have."""
_UNORDERED = frozenset({"requiresCompatibilities", "add", "drop", "subnets", "securityGroups"})
"""Lists of plain values whose order means nothing; that of a command means everything."""
_DEFAULTS: Mapping[str, object] = {
    "essential": True,
    "protocol": "tcp",
    "versionConsistency": "enabled",
    "rootDirectory": "/",
    "transitEncryption": "DISABLED",
    "iam": "DISABLED",
}
"""What ECS fills in; `false`, 0 where it is `cpu`, and empty values are left out anyhow."""
_HEALTH_CHECK: Mapping[str, object] = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
_VCPU = re.compile(r"([0-9.]+)\s*vcpu", re.IGNORECASE)
_GIGABYTES = re.compile(r"([0-9.]+)\s*gb", re.IGNORECASE)
_UNITS = 1024


def canonical_definition(definition: Mapping[str, object]) -> dict[str, Canonical]:
    """Give the canonical form of a RegisterTaskDefinition request or of ECS's answer to it.

    Source: ECS RegisterTaskDefinition (defaults of its members).
    """
    flat = {
        **definition,
        "cpu": _units(definition.get("cpu"), _VCPU),
        "memory": _units(definition.get("memory"), _GIGABYTES),
        "containerDefinitions": [
            _container(each) for each in _mappings(definition.get("containerDefinitions"))
        ],
    }
    flat.pop("tags", None)
    return canonical_map(flat)


def canonical_map(value: Mapping[str, object]) -> dict[str, Canonical]:
    """Give a mapping of an AWS request or answer without defaults and empty values."""
    made = {key: _canonical(each, key) for key, each in value.items()}
    return {
        key: each
        for key, each in made.items()
        if not _is_empty(each) and _DEFAULTS.get(key, None) != each
    }


def _canonical(value: object, key: str) -> Canonical:
    match value:
        case Mapping():
            return canonical_map(value)
        case str() | bool() | int() | float():
            return value
        case Sequence():
            return _list(value, key)
        case None:
            return ""
        case _:
            return str(value)


def _list(values: Sequence[object], key: str) -> Canonical:
    items = tuple(_canonical(each, key) for each in values)
    if items and all(isinstance(each, dict) for each in items):
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


def _is_empty(value: Canonical) -> bool:
    return value is False or (not isinstance(value, bool | int | float) and not value)


def _container(container: Mapping[str, object]) -> dict[str, object]:
    """Leave out of a container what depends on its other members."""
    made = dict(container)
    made["portMappings"] = [_port(each) for each in _mappings(container.get("portMappings"))]
    if made.get("cpu") == 0:
        del made["cpu"]
    if made.get("essential") is False:
        made["essential"] = "false"  # the one member that is true where it is left out
    check = container.get("healthCheck")
    if isinstance(check, Mapping):
        made["healthCheck"] = {
            key: each for key, each in check.items() if _HEALTH_CHECK.get(key) != each
        }
    return made


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


def _sortable(value: Canonical) -> str:
    return json.dumps(value, sort_keys=True)
