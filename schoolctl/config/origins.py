"""Which value of a resolved configuration was written where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from schoolctl.config.tree import (
    DEFAULT_ORIGIN,
    MapNode,
    Origin,
    Path_,
    Scalar,
    dotted,
    nearest_origin,
    node_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.config.models import Config

_MASK: Final = "***"
# Plain variables are no place for secrets, but the overlay of a local AWS has keys there.
_SECRETIVE: Final = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|(?:ACCESS|PRIVATE|API)_?KEY", re.IGNORECASE
)


def list_values(config: Config) -> dict[str, object]:
    """Give every value by its dotted path, as JSON would have it, in the order of the keys.

    A list of plain values, and an empty mapping, is one value. Credentials are masked, and so
    are variables whose names say that they are secret.
    """
    return {dotted(path): value for path, value in _leaves(_dump(config), ())}


def find_origins(config: Config, tree: MapNode) -> dict[str, Origin]:
    """Give the place of every value of `list_values`.

    A default that an explicit `null` brought back has the place of the null.
    """
    return {dotted(path): _origin(tree, path) for path, _value in _leaves(_dump(config), ())}


def dump_values(config: Config) -> dict[str, object]:
    """Give the configuration as one nested document, keys as in the file, credentials masked."""
    return _dump(config)


def _dump(config: Config) -> dict[str, object]:
    values = config.model_dump(mode="json", by_alias=True, exclude={"environment"})
    if values["credentials"] is not None:
        values["credentials"] = dict.fromkeys(values["credentials"], _MASK)
    for variables in (values["task"]["environment"], values["image"]["build_args"]):
        for name in variables:
            if _SECRETIVE.search(name):
                variables[name] = _MASK
    return cast("dict[str, object]", values)


def _leaves(value: object, path: Path_) -> Iterator[tuple[Path_, object]]:
    match value:
        case dict() if value:
            for key, child in value.items():
                yield from _leaves(child, (*path, key))
        case list() if any(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield from _leaves(item, (*path, index))
        case _:
            yield path, value


def _origin(tree: MapNode, path: Path_) -> Origin:
    for length in range(len(path), 0, -1):
        node = node_at(tree, path[:length])
        if node is None:
            continue
        unset = isinstance(node, Scalar) and node.value is None
        if length == len(path) or unset:
            return nearest_origin(tree, path[:length])
        break
    return DEFAULT_ORIGIN
