"""The names of what an environment's stack makes, where schoolctl.yaml gives none.

Several environments live in one account, so each name carries the environment. `infra up` makes the
things by these very names, and every other command finds them by the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from schoolctl.config.infra import ROLE_LIMIT, fitted, stack_name
from schoolctl.config.merge import merge
from schoolctl.config.tree import (
    Layer,
    ListNode,
    MapNode,
    Node,
    Origin,
    Path_,
    Scalar,
    from_plain,
    is_null,
    node_at,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK_TAG: Final = "schoolctl:stack"
TIER_TAG: Final = "schoolctl:tier"
_BALANCER_LIMIT = 32
_CLUSTER_LIMIT = 255
_PORT = 3000


def balancer_name(app: str, environment: str) -> str:
    """Give the name of the stack's load balancer, which schoolctl.yaml does not name."""
    return fitted(f"{stack_name(app, environment)}-alb", _BALANCER_LIMIT)


def with_stack_names(tree: MapNode, environment: str) -> MapNode:
    """Put the stack's names below what an environment's merged layers say, if it has a stack.

    A `null` takes back the name of an earlier layer, so that the stack's own is used.
    """
    wanted, app = node_at(tree, ("infra", "stack")), node_at(tree, ("app",))
    if not (isinstance(wanted, Scalar) and wanted.value is True):
        return tree
    if not (isinstance(app, Scalar) and isinstance(app.value, str)):
        return tree
    names = _names(tree, app.value, environment)
    subnets = node_at(tree, ("service", "subnets"))
    if subnets is not None and not is_null(subnets):
        # Tags that somebody wrote stand alone.
        names["service"].pop("subnets")
    place = Origin(Path(stack_name(app.value, environment)), 0, 0, Layer.STACK)
    below = _placed(from_plain(dict(names)), place)
    merged = merge(below, _without_nulls(tree, below))
    return merged if isinstance(merged, MapNode) else tree


def _names(tree: MapNode, app: str, environment: str) -> dict[str, dict[str, object]]:
    stem = stack_name(app, environment)
    groups = {f"{each}_group": f"{stem}-{name}-sg" for each, name in _GROUPS.items()}
    named = node_at(tree, ("network", "service_group"))
    service_group = named.value if isinstance(named, Scalar) and named.value else None
    port = node_at(tree, ("task", "port"))
    # Another port is another target group: one of the same name could not take its place.
    number = port.value if isinstance(port, Scalar) and port.value else _PORT
    return {
        "image": {"repository": app.lower()},
        "task": {
            "execution_role": fitted(f"{stem}-execution", ROLE_LIMIT),
            "task_role": fitted(f"{stem}-task", ROLE_LIMIT),
            "log_group": f"/ecs/{stem}",
        },
        "service": {
            "cluster": fitted(stem, _CLUSTER_LIMIT),
            "subnets": _subnets(tree, stem),
            "security_groups": [service_group or groups["service_group"]],
            "target_group": fitted(f"{stem}-{number}", _BALANCER_LIMIT),
        },
        "network": dict(groups),
    }


_GROUPS: Mapping[str, str] = {"alb": "alb", "service": "ecs", "database": "rds"}


def _subnets(tree: MapNode, stack: str) -> object:
    chosen = node_at(tree, ("infra", "subnets"))
    if isinstance(chosen, ListNode) and chosen.items:
        return [each.value for each in chosen.items if isinstance(each, Scalar)]
    vpc = node_at(tree, ("infra", "vpc"))
    if vpc is None or (isinstance(vpc, Scalar) and vpc.value in {None, "default"}):
        return "default"
    return {STACK_TAG: stack, TIER_TAG: "public"}


def _placed(node: Node, place: Origin) -> Node:
    match node:
        case Scalar(value=value):
            return Scalar(value, place)
        case ListNode(items=items):
            return ListNode(tuple(_placed(item, place) for item in items), place)
        case MapNode(entries=entries):
            placed = {key: _placed(child, place) for key, child in entries.items()}
            return MapNode(placed, dict.fromkeys(entries, place), place)


def _without_nulls(node: MapNode, below: Node, path: Path_ = ()) -> MapNode:
    """Leave out the nulls that stand where `below` has a name."""
    kept: dict[str, Node] = {}
    for key, child in node.entries.items():
        if is_null(child) and node_at(below, (*path, key)) is not None:
            continue
        inner = isinstance(child, MapNode) and isinstance(node_at(below, (*path, key)), MapNode)
        kept[key] = _without_nulls(child, below, (*path, key)) if inner else child  # type: ignore[arg-type]  # `inner` says so
    return MapNode(kept, node.key_origins, node.origin)
