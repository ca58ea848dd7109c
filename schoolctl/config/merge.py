"""How the layers of a configuration become one.

Mappings are merged key by key, to any depth. Lists whose items all have a `name` are merged by
it. Any other list, and every scalar, is replaced. `null` stays where it was written, for it says
that the value goes back to its default.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from schoolctl.config.tree import (
    DEFAULT_ORIGIN,
    ListNode,
    MapNode,
    Node,
    Origin,
    Path_,
    Scalar,
    dotted,
    from_plain,
    is_null,
    nearest_origin,
    node_at,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.config.models import Config


def merge(below: Node, above: Node) -> Node:
    """Put `above` over `below`; each value keeps the place where it was written."""
    match below, above:
        case MapNode(), MapNode():
            return _merge_maps(below, above)
        case ListNode(), ListNode():
            return _merge_lists(below, above)
        case _:
            return above


def deep_merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Merge dictionaries by the same rules; `None` in `above` stands in the result."""
    merged = merge(from_plain(dict(below)), from_plain(dict(above)))
    return cast("dict[str, object]", to_plain(merged))


def apply_overrides(
    generated: Mapping[str, object], overrides: Mapping[str, object]
) -> dict[str, object]:
    """Put the `overrides` of the configuration over an AWS request; `None` removes a key.

    An item of a list of which nothing but its name is left then goes, too: that is how
    `{name: AWS_REGION, value: null}` removes a variable.
    """
    merged = merge(from_plain(dict(generated)), from_plain(dict(overrides)))
    return cast("dict[str, object]", to_plain(drop_nulls(merged)))


def drop_nulls(node: Node) -> Node:
    """Give the tree without the keys whose value is null, to any depth."""
    match node:
        case MapNode(entries=entries):
            kept = {key: drop_nulls(child) for key, child in entries.items() if not is_null(child)}
            return replace(node, entries=kept)
        case ListNode(items=items):
            kept_items = (drop_nulls(item) for item in items if not _is_emptied(item))
            return replace(node, items=tuple(kept_items))
        case Scalar():
            return node


def _is_emptied(item: Node) -> bool:
    """Tell whether an item of a list had more than its name, and nulls took all of it away."""
    if not isinstance(item, MapNode) or "name" not in item.entries or len(item.entries) == 1:
        return False
    return all(is_null(child) for key, child in item.entries.items() if key != "name")


def _merge_maps(below: MapNode, above: MapNode) -> MapNode:
    entries = dict(below.entries)
    for key, child in above.entries.items():
        entries[key] = merge(entries[key], child) if key in entries else child
    return MapNode(entries, {**below.key_origins, **above.key_origins}, above.origin)


def _merge_lists(below: ListNode, above: ListNode) -> ListNode:
    lower, upper = _by_name(below), _by_name(above)
    if not upper or lower is None:  # an empty list is how a list is emptied
        return above
    items = {
        name: merge(item, upper[name]) if name in upper else item for name, item in lower.items()
    }
    items |= {name: item for name, item in upper.items() if name not in lower}
    return ListNode(tuple(items.values()), above.origin)


def _by_name(node: ListNode) -> dict[str, Node] | None:
    """Give the items by their `name`; None unless each has one and no two have the same."""
    found: dict[str, Node] = {}
    for item in node.items:
        name = item.entries.get("name") if isinstance(item, MapNode) else None
        if not isinstance(name, Scalar) or not isinstance(name.value, str) or name.value in found:
            return None
        found[name.value] = item
    return found


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
