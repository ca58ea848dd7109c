"""A configuration file as a tree with the position of every value, and its problems.

The loader makes the tree, merging joins trees, and every error and every line of `config show`
finds its place in one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from schoolctl.base.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


OVERLAY_DIRECTORY: Final = ".schoolctl"

Path_: TypeAlias = "tuple[str | int, ...]"
"""Where a node is in its tree: keys and list indexes from the root."""


class Layer(StrEnum):
    """The layers that are merged, the later over the earlier."""

    DEFAULT = "default"
    STACK = "stack"
    """What follows from the environment having a stack of its own."""
    BASE = "base"
    ENVIRONMENT = "environment"
    OVERLAY = "overlay"

    @property
    def rank(self) -> int:
        """The layer's turn in merging, 0 first."""
        return tuple(Layer).index(self)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written; line and column count from 1, and are 0 for a default."""

    file: Path
    line: int
    column: int
    layer: Layer

    @property
    def turn(self) -> tuple[int, int, int]:
        """The order in which values are written and merged: the last one counts."""
        return self.layer.rank, self.line, self.column

    @property
    def shown_file(self) -> str:
        """The file's name as people read it, with `.schoolctl/` where it lies in there."""
        folder = self.file.parent.name
        return f"{folder}/{self.file.name}" if folder == OVERLAY_DIRECTORY else self.file.name

    def __str__(self) -> str:
        if self.layer is Layer.DEFAULT:
            return "default"
        if self.layer is Layer.STACK:
            return f"stack {self.file.name}"
        return f"{self.shown_file}:{self.line}"


DEFAULT_ORIGIN: Final = Origin(Path(), 0, 0, Layer.DEFAULT)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `written` is its text in the file, `quoted` whether that had quotes."""

    value: str | int | float | bool | None
    origin: Origin = DEFAULT_ORIGIN
    written: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    origin: Origin = DEFAULT_ORIGIN


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; `key_origins` has the place of each key, `origin` that of the first of them."""

    entries: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
    key_origins: Mapping[str, Origin] = field(default_factory=lambda: MappingProxyType({}))
    origin: Origin = DEFAULT_ORIGIN


Node: TypeAlias = Scalar | ListNode | MapNode


def is_null(node: Node) -> bool:
    """Tell whether `node` is the `null` that unsets what an earlier layer says."""
    return isinstance(node, Scalar) and node.value is None


def to_plain(node: Node) -> object:
    """Give the tree as dictionaries, lists and scalars, its nulls included."""
    match node:
        case Scalar(value=value):
            return value
        case ListNode(items=items):
            return [to_plain(item) for item in items]
        case MapNode(entries=entries):
            return {key: to_plain(child) for key, child in entries.items()}


def from_plain(value: object) -> Node:
    """Make a tree without places of dictionaries, lists (or tuples) and scalars.

    Raises:
        TypeError: something else is in there, or a key that is no text.
    """
    match value:
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"a configuration key must be text, not {key!r}")
            return MapNode({key: from_plain(child) for key, child in value.items()})
        case list() | tuple():
            return ListNode(tuple(from_plain(item) for item in value))
        case None | str() | bool() | int() | float():
            return Scalar(value)
        case _:
            raise TypeError(f"a configuration value cannot be a {type(value).__name__}")


def with_layer(node: Node, layer: Layer) -> Node:
    """Give the tree with every place in `layer`."""
    origin = replace(node.origin, layer=layer)
    match node:
        case Scalar():
            return replace(node, origin=origin)
        case ListNode(items=items):
            return ListNode(tuple(with_layer(item, layer) for item in items), origin)
        case MapNode(entries=entries, key_origins=key_origins):
            return MapNode(
                {key: with_layer(child, layer) for key, child in entries.items()},
                {key: replace(place, layer=layer) for key, place in key_origins.items()},
                origin,
            )


def node_at(root: Node, path: Path_) -> Node | None:
    """Give the node at `path`, or None where there is none."""
    node = root
    for step in path:
        match node, step:
            case MapNode(entries=entries), str() if step in entries:
                node = entries[step]
            case ListNode(items=items), int() if step < len(items):
                node = items[step]
            case _:
                return None
    return node


def key_origin(root: Node, path: Path_) -> Origin | None:
    """Give the place of the key that ends `path`, or None where there is none."""
    parent = node_at(root, path[:-1]) if path else None
    if isinstance(parent, MapNode):
        return parent.key_origins.get(str(path[-1]))
    return None


def nearest_origin(root: Node, path: Path_) -> Origin:
    """Give the place of what is at `path`, or of the closest thing around it that exists.

    A mapping's place is that of its key, which is where a reader looks for it.
    """
    for length in range(len(path), 0, -1):
        node = node_at(root, path[:length])
        if node is None:
            continue
        if isinstance(node, MapNode):
            return key_origin(root, path[:length]) or node.origin
        return node.origin
    return root.origin


def without(node: Node, path: Path_) -> Node:
    """Give the tree without what is at `path`."""
    if not path:
        return node
    step, rest = path[0], path[1:]
    match node, step:
        case MapNode(entries=entries), str() if step in entries:
            kept = dict(entries)
            if rest:
                kept[step] = without(entries[step], rest)
            else:
                del kept[step]
            return replace(node, entries=kept)
        case ListNode(items=items), int() if step < len(items):
            changed = (without(items[step], rest),) if rest else ()
            return replace(node, items=(*items[:step], *changed, *items[step + 1 :]))
        case _:
            return node


def dotted(path: Path_) -> str:
    """Give a path as people write it: `task.cpu`, `images.protect[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where; `path` is empty where the whole file is meant."""

    origin: Origin
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.origin.shown_file}:{self.origin.line}:{self.origin.column}"
        subject = f"{self.path}: " if self.path else ""
        return f"{place}  {subject}{self.message}"

    def document(self) -> dict[str, object]:
        """Give the problem as `--json` shows it."""
        return {
            "file": self.origin.shown_file,
            "line": self.origin.line,
            "column": self.origin.column,
            "path": self.path,
            "message": self.message,
        }


class InvalidConfigError(ConfigError):
    """A configuration that cannot be used, with everything that is wrong with it.

    Args:
        problems: at least one; they are sorted by file (committed ones first) and line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sort_problems(problems)
        names = dict.fromkeys(problem.origin.shown_file for problem in self.problems)
        count = len(self.problems)
        super().__init__(
            f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'}"
            f" {count} problem{'' if count == 1 else 's'}",
            why="\n".join(str(problem) for problem in self.problems),
            hint="correct the file, then run `schoolctl config check`",
        )

    def document(self) -> dict[str, object]:
        """Give the error for `--json`, each problem as an object of its own."""
        problems = [problem.document() for problem in self.problems]
        return {**super().document(), "problems": problems}


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by file (the committed one first), line and column; each problem once."""
    return tuple(
        sorted(
            set(problems),
            key=lambda problem: (
                problem.origin.layer is Layer.OVERLAY,
                problem.origin.shown_file,
                problem.origin.line,
                problem.origin.column,
                problem.path,
                problem.message,
            ),
        )
    )


_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_OLD_BOOLEANS: Final = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), "true"),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), "false"),
}

# 18 digits are more than any count, port or size here needs.
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+][0-9]{1,3})?")

_NUMBER_OR_TEXT: Final = "is a number to some YAML readers and text to others"
_NUMBER_TRAPS: Final = (
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "is octal, decimal or text, depending on the YAML reader",
        ", or without the leading 0 for a number",
    ),
    (
        re.compile(r"[-+]?0[bxo][0-9a-fA-F_]+"),
        "is a number in another base to some YAML readers",
        ", or a decimal number",
    ),
    (
        re.compile(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
            r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*"
        ),
        "is a date to some YAML readers and text to others",
        "",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"),
        "is a number in base 60 to some YAML readers",
        "",
    ),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "is no finite number", ""),
    # YAML 1.1 wants a point and the exponent's sign, so a commit such as `12e4567` is text to it.
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)[eE][-+]?[0-9]+"), _NUMBER_OR_TEXT, ""),
    (re.compile(r"\+[0-9]+"), _NUMBER_OR_TEXT, ""),
    (re.compile(r"[-+]?[0-9]+_[0-9_]*(?:\.[0-9_]*)?"), _NUMBER_OR_TEXT, ""),
    (re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?"), "is too long for a number", ""),
)


@dataclass(frozen=True, slots=True)
class Trap:
    """A word with two meanings: what may become of it, and what to write instead."""

    meaning: str
    cure: str

    def __str__(self) -> str:
        return f"{self.meaning}; {self.cure}"


def read_plain(text: str) -> str | int | float | bool | Trap | None:
    """Give the value of an unquoted scalar, or the trap that it is."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return _find_trap(text) or text


def _find_trap(text: str) -> Trap | None:
    if text in _OLD_BOOLEANS:
        boolean = _OLD_BOOLEANS[text]
        return Trap(
            f"`{text}` is the boolean {boolean} to some YAML readers and a word to others",
            f'write {boolean}, or "{text}" for the word',
        )
    if text == "<<":
        return Trap("`<<` merges mappings in YAML 1.1 only", "write its keys out")
    if text == "=":
        return Trap("`=` has a meaning of its own in YAML 1.1 only", 'write "="')
    if text[0] not in "+-.0123456789":
        return None
    for pattern, meaning, otherwise in _NUMBER_TRAPS:
        if pattern.fullmatch(text):
            return Trap(f"`{text}` {meaning}", f'write "{text}" for text{otherwise}')
    return None
