"""From a tree to a `Config`, or to every problem in it.

Each layer is checked by itself first, so that a misspelt key is found in every environment and
even where a later layer hides it. What only the merged values can tell (a required key, two
values that contradict each other) is checked for each environment after merging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from pydantic import BaseModel, ValidationError

from schoolctl.config.infra import with_stack_names
from schoolctl.config.merge import merge
from schoolctl.config.messages import (
    FILE_KEYS,
    FREE_FORM,
    REMOVED,
    describe_fault,
    sibling_keys,
    suggest,
    suggest_elsewhere,
)
from schoolctl.config.models import FORMS, Config, Settings
from schoolctl.config.rules import find_contradictions
from schoolctl.config.tree import (
    Layer,
    MapNode,
    Node,
    Origin,
    Path_,
    Problem,
    Scalar,
    dotted,
    is_null,
    key_origin,
    nearest_origin,
    node_at,
    to_plain,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

_UNKNOWN_KEY: Final = "extra_forbidden"
_MISSING: Final = "missing"
_STAND_IN: Final = "stand-in"
_HIDDEN: Final = "credentials"


@dataclass(frozen=True, slots=True)
class _Fault:
    """One complaint of pydantic about the value, or the key, at `path`."""

    path: Path_
    kind: str
    message: str
    at_key: bool = False
    meant: str | None = None


@dataclass(frozen=True)
class Checked:
    """An environment after merging; `config` is None where there are problems."""

    tree: MapNode
    config: Config | None
    problems: tuple[Problem, ...]


def check_layer(layer: MapNode, *, prefix: Path_ = (), file_level: bool = False) -> list[Problem]:
    """Find what is wrong in one layer, whatever the others say.

    Args:
        layer: the settings of one layer.
        prefix: where they stand in their file.
        file_level: whether they are those of the file itself, not of an environment.
    """
    problems = []
    for fault in _find_faults(Settings, layer, to_plain(layer), {}, file_level=file_level):
        node = node_at(layer, fault.path)
        unsets = node is not None and is_null(node) and isinstance(fault.path[-1], str)
        if fault.kind == _MISSING or (unsets and fault.kind != _UNKNOWN_KEY):
            continue
        problems.append(_problem(layer, fault, prefix))
    return problems


def check_environment(name: str, layers: tuple[MapNode, ...]) -> Checked:
    """Merge the layers of an environment, lowest first, and check the result.

    Problems that `check_layer` finds are found here too, with the same words and place.
    """
    tree = MapNode()
    empty: list[Problem] = []
    for layer in layers:
        empty += _empty_entries(tree, layer, name)
        tree = cast("MapNode", merge(tree, layer))
    tree = with_stack_names(tree, name)
    settled = cast("MapNode", _drop_unset(tree, ()))
    names = _names(settled, name)
    plain = {**cast("dict[str, object]", to_plain(settled)), "environment": name}
    faults = list(_find_faults(Config, settled, plain, names))
    problems = empty + [
        _merged_problem(name, tree, layers, fault)
        for fault in faults
        if not _is_explained(fault, faults)
    ]
    config = _config(plain, names) if not faults else None
    probe = config or _repaired(settled, names, faults)
    if probe is not None:
        problems += _contradictions(name, tree, probe, faults)
    return Checked(tree, None if problems else config, tuple(problems))


def _find_faults(
    model: type[BaseModel],
    tree: MapNode,
    plain: object,
    names: Mapping[str, str],
    *,
    file_level: bool = False,
) -> Iterator[_Fault]:
    try:
        model.model_validate(plain, context=names)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            # Only says that a default which follows from another value could not be found.
            if detail["type"] != "default_factory_not_called":
                yield _fault(detail, tree, file_level=file_level)


def _fault(detail: ErrorDetails, tree: MapNode, *, file_level: bool) -> _Fault:
    path, at_key = _path(detail["loc"], tree)
    kind = detail["type"]
    if kind == _UNKNOWN_KEY:
        return _unknown_key(path, file_level=file_level)
    if kind == _MISSING:
        return _Fault(path, kind, f"required: {_description(path)}")
    node = None if path[:1] == (_HIDDEN,) else node_at(tree, path)
    message = describe_fault(kind, detail.get("ctx", {}), detail["msg"], node)
    return _Fault(path, kind, message, at_key=at_key)


def _path(location: Path_, tree: MapNode) -> tuple[Path_, bool]:
    """Give the path in the file of an error's location, and whether it is about a key."""
    for form in FORMS:
        if location[: len(form)] == form:
            location = location[: len(form)] + location[len(form) + 1 :]
    # A key may itself be called `[key]`; then there is a value at that path.
    at_key = location[-1] == "[key]" and node_at(tree, location) is None
    return (location[:-1] if at_key else location), at_key


def _unknown_key(path: Path_, *, file_level: bool) -> _Fault:
    parent, key = path[:-1], str(path[-1])
    siblings = sibling_keys(parent, file_level=file_level)
    meant = suggest(key, siblings)
    elsewhere = None if meant else suggest_elsewhere(key)
    shown = [sibling for sibling in siblings if sibling != _HIDDEN]
    if path in REMOVED:
        message = "was removed in this version; delete the line"
    elif key in FILE_KEYS:
        message = "unknown key; it belongs at the top level of schoolctl.yaml"
    elif meant or elsewhere:
        message = f"unknown key; did you mean {meant or elsewhere}?"
    else:
        message = f"unknown key; there are {', '.join(shown)}"
    return _Fault(path, _UNKNOWN_KEY, message, at_key=True, meant=meant)


def _description(path: Path_) -> str:
    model: type[BaseModel] = Settings
    text = ""
    for step in path:
        field = model.model_fields.get(str(step))
        if field is None:
            break
        text = field.description or ""
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return text


def _is_explained(fault: _Fault, faults: list[_Fault]) -> bool:
    """Tell whether a key is missing only because it is misspelt."""
    return fault.kind == _MISSING and any(
        (*other.path[:-1], other.meant) == fault.path for other in faults if other.meant
    )


# Places


def _problem(tree: MapNode, fault: _Fault, prefix: Path_, origin: Origin | None = None) -> Problem:
    return Problem(origin or _origin(tree, fault), dotted((*prefix, *fault.path)), fault.message)


def _merged_problem(
    environment: str, tree: MapNode, layers: tuple[MapNode, ...], fault: _Fault
) -> Problem:
    origin = _origin(tree, fault)
    if fault.kind == _MISSING and node_at(tree, fault.path) is None:
        # What is missing is missed where its section is first written, not where it goes on.
        parent = fault.path[:-1]
        first = next(layer for layer in layers if node_at(layer, parent) is not None)
        origin = nearest_origin(first, parent)
    return _problem(tree, fault, _prefix(origin, environment), origin)


def _origin(tree: MapNode, fault: _Fault) -> Origin:
    if fault.at_key:
        return key_origin(tree, fault.path) or nearest_origin(tree, fault.path)
    return nearest_origin(tree, fault.path)


def _prefix(origin: Origin, environment: str) -> Path_:
    return ("environments", environment) if origin.layer is Layer.ENVIRONMENT else ()


# Contradictions


def _contradictions(
    environment: str, tree: MapNode, config: Config, faults: list[_Fault]
) -> Iterator[Problem]:
    """Yield what contradicts itself, leaving out whatever is known to be wrong already."""
    broken = {fault.path for fault in faults}
    for found in find_contradictions(config):
        if any(path[: len(wrong)] == wrong for path in found.paths for wrong in broken):
            continue
        # The value to look at is the one that was written last in merging.
        written = [path for path in found.paths if node_at(tree, path) is not None]
        path = max(written or found.paths, key=lambda each: nearest_origin(tree, each).turn)
        origin = nearest_origin(tree, path)
        yield Problem(origin, dotted((*_prefix(origin, environment), *path)), found.message)


def _repaired(settled: MapNode, names: Mapping[str, str], faults: list[_Fault]) -> Config | None:
    """Give the configuration with what is wrong taken out and what is missing made up.

    It serves to look for contradictions among the rest, so that all problems come at once.
    """
    tree: Node = settled
    plain: dict[str, object] = {}
    for _attempt in range(4):
        for fault in reversed(faults):
            if fault.kind == _MISSING:
                tree = _with_stand_in(tree, fault.path)
            else:
                tree = without(tree, fault.path)
        plain = {**cast("dict[str, object]", to_plain(tree)), "environment": names["environment"]}
        faults = list(_find_faults(Config, settled, plain, names))
        if not faults:
            return _config(plain, names)
    return None


def _with_stand_in(tree: Node, path: Path_) -> Node:
    parent = node_at(tree, path[:-1])
    if not isinstance(parent, MapNode):
        return tree
    is_section = sibling_keys(path, file_level=False) != ()
    made_up: Node = MapNode() if is_section else Scalar(_STAND_IN)
    return _replace_at(tree, path, made_up)


def _replace_at(tree: Node, path: Path_, node: Node) -> Node:
    if not path:
        return node
    if not isinstance(tree, MapNode):
        return tree
    step = str(path[0])
    child = tree.entries.get(step, MapNode())
    return replace(tree, entries={**tree.entries, step: _replace_at(child, path[1:], node)})


def _config(plain: Mapping[str, object], names: Mapping[str, str]) -> Config:
    return Config.model_validate(plain, context=names)


# Nulls and names


def _empty_entries(below: MapNode, layer: MapNode, environment: str) -> Iterator[Problem]:
    """Yield parameters and secrets that are declared with nothing after the colon.

    Such a null unsets an entry of an earlier layer; where there is none, an entry was meant.
    """
    for section in ("parameters", "secrets"):
        entries = layer.entries.get(section)
        declared = below.entries.get(section)
        known = declared.entries if isinstance(declared, MapNode) else {}
        if not isinstance(entries, MapNode):
            continue
        for key, node in entries.entries.items():
            if is_null(node) and key not in known:
                path = (*_prefix(node.origin, environment), section, key)
                yield Problem(
                    node.origin, dotted(path), f"has no value; write {key}: {{}} to declare it"
                )


def _drop_unset(node: Node, path: Path_) -> Node:
    """Leave out the keys that `null` unsets; below `overrides` null is a value of its own."""
    if path in FREE_FORM or not isinstance(node, MapNode):
        return node
    kept = {
        key: _drop_unset(child, (*path, key))
        for key, child in node.entries.items()
        if not is_null(child)
    }
    return replace(node, entries=kept)


def _names(settled: MapNode, environment: str) -> dict[str, str]:
    app = settled.entries.get("app")
    text = app.value if isinstance(app, Scalar) and isinstance(app.value, str) else _STAND_IN
    return {"app": text, "environment": environment}
