"""The merge of the layers of a configuration.

Mappings are merged key by key, to any depth. Lists whose items all have a `name` are merged by
it. Any other list, and every scalar, is replaced. `null` stays where it was written, for it says
that the value goes back to its default.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from schoolctl.config.tree import (
    ListNode,
    MapNode,
    Node,
    Scalar,
    from_plain,
    is_null,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


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
