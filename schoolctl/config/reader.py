"""The YAML reader: bytes to a tree with the position of every value, or its problems.

Only PyYAML's parser is used, none of its constructors: no tag is ever obeyed, and what a plain
scalar means is decided in `scalars`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.reader import ReaderError

from schoolctl.config.tree import (
    Layer,
    ListNode,
    MapNode,
    Node,
    Origin,
    Path_,
    Problem,
    Scalar,
    Trap,
    dotted,
    read_plain,
)

if TYPE_CHECKING:
    from pathlib import Path

    from yaml import YAMLError


_MOST_BYTES: Final = 1_000_000
_DEEPEST: Final = 40
# Far more than a configuration needs; nine aliases of nine aliases pass it at the fifth level.
_MOST_NODES: Final = 20_000

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: `root` is None where it could not be read, without keys where empty."""

    root: MapNode | None
    problems: tuple[Problem, ...]


def read_document(content: bytes, *, file: Path, layer: Layer) -> Document:
    """Read one YAML file.

    Args:
        content: the file's bytes; UTF-8 with LF or CRLF.
        file: its path, for the places.
        layer: the layer that its values belong to.
    """
    reader = _Reader(file, layer)
    try:
        root = reader.read(content)
    except _UnreadableError as error:
        return Document(None, (error.problem,))
    return Document(root, tuple(reader.problems))


class _UnreadableError(Exception):
    """What is wrong makes the rest of the file meaningless."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is not closed yet; `key` is the key that waits for its value."""

    origin: Origin
    anchor: str | None
    is_map: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    key_origins: dict[str, Origin] = field(default_factory=dict)
    key: str | None = None
    discards: bool = False
    size: int = 1

    def close(self) -> Node:
        if self.is_map:
            return MapNode(self.entries, self.key_origins, self.origin)
        return ListNode(tuple(self.items), self.origin)


class _Reader:
    """Builds the tree from the parser's events, without recursion."""

    def __init__(self, file: Path, layer: Layer) -> None:
        self._file = file
        self._layer = layer
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._root: Node | None = None
        self._documents = 0
        self._nodes = 0
        self.problems: list[Problem] = []

    def read(self, content: bytes) -> MapNode:
        text = self._decode(content)
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self._take(event)
        except yaml.YAMLError as error:
            line, column, message = describe_syntax_error(error, text)
            raise _UnreadableError(Problem(self._at(line, column), "", message)) from None
        if self._root is None or (isinstance(self._root, Scalar) and self._root.value is None):
            return MapNode(origin=self._at(1, 1))
        if not isinstance(self._root, MapNode):
            raise self._unreadable(
                self._root.origin, "the file must hold keys and values, such as `app: NAME`"
            )
        return self._root

    # Bytes

    def _decode(self, content: bytes) -> str:
        if len(content) > _MOST_BYTES:
            raise self._unreadable(
                self._at(1, 1), f"the file has {len(content)} bytes, {_MOST_BYTES} at most are read"
            )
        if content.startswith(_UTF8_BOM):
            raise self._unreadable(
                self._at(1, 1),
                "the file begins with a byte order mark; save it as UTF-8 without one",
            )
        if content.startswith(_UTF16_BOMS):
            raise self._unreadable(self._at(1, 1), "the file is UTF-16; save it as UTF-8")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            before = content[: error.start]
            line = before.count(b"\n") + 1
            column = len(before.rpartition(b"\n")[2].decode()) + 1
            raise self._unreadable(
                self._at(line, column),
                f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8",
            ) from None

    # Events

    def _take(self, event: Event) -> None:
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._unreadable(
                        self._place(event),
                        "a second document begins here; keep one and remove this `---`",
                    )
            case MappingStartEvent() | SequenceStartEvent():
                self._open(event)
            case MappingEndEvent() | SequenceEndEvent():
                frame = self._stack.pop()
                self._attach(frame.close(), frame.size, frame.anchor)
            case ScalarEvent():
                self._take_scalar(event)
            case AliasEvent():
                self._take_alias(event)
            case _:
                pass

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        origin = self._place(event)
        if self._wants_key():
            raise self._unreadable(origin, "a key must be a single word or text in quotes")
        if len(self._stack) >= _DEEPEST:
            message = f"nested deeper than {_DEEPEST} levels"
            raise _UnreadableError(Problem(origin, "", message))
        self._refuse_tag(event.tag, origin)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Frame(origin, event.anchor, isinstance(event, MappingStartEvent)))

    def _take_scalar(self, event: ScalarEvent) -> None:
        origin = self._place(event)
        self._refuse_tag(event.tag, origin)
        plain = event.style is None and event.tag is None
        value = read_plain(event.value) if plain else event.value
        if self._wants_key():
            self._take_key(event.value, value, origin)
            return
        if isinstance(value, Trap):
            path = self._path()
            hidden = path[:1] == ("credentials",)
            unnamed = "this value means different things to YAML readers; put it in quotes"
            self._note(origin, path, unnamed if hidden else str(value))
            value = event.value
        self._attach(Scalar(value, origin, event.value, quoted=not plain), 1, event.anchor)

    def _take_key(self, written: str, value: object, origin: Origin) -> None:
        frame = self._stack[-1]
        path = (*self._path(), written)
        if isinstance(value, Trap):
            cure = value.cure if written == "<<" else f'write "{written}"'
            self._note(origin, path, f"{value.meaning}; {cure}")
        elif not isinstance(value, str):
            self._note(origin, path, f'the key `{written}` is no text; write "{written}"')
        frame.key = written
        frame.discards = written in frame.entries
        if frame.discards:
            first = frame.key_origins[written].line
            self._note(origin, path, f"is there twice, first in line {first}; remove one of them")
        else:
            frame.key_origins[written] = origin

    def _take_alias(self, event: AliasEvent) -> None:
        origin = self._place(event)
        if self._wants_key():
            raise self._unreadable(origin, "a key must be a single word or text in quotes")
        name = str(event.anchor)
        if any(frame.anchor == name for frame in self._stack):
            raise self._unreadable(origin, f"`*{name}` stands inside the very thing it refers to")
        if name not in self._anchors:
            raise self._unreadable(origin, f"`*{name}` refers to nothing: there is no `&{name}`")
        node, size = self._anchors[name]
        self._attach(node, size, None)

    # The tree

    def _attach(self, node: Node, size: int, anchor: str | None) -> None:
        self._nodes += 1
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        frame.size += size
        if frame.size > _MOST_NODES:
            raise self._unreadable(
                frame.origin, f"more than {_MOST_NODES} values, counting what aliases repeat"
            )
        if not frame.is_map:
            frame.items.append(node)
            return
        if frame.key is not None and not frame.discards:
            frame.entries[frame.key] = node
        frame.key = None

    def _wants_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_map and self._stack[-1].key is None

    def _path(self) -> Path_:
        steps: list[str | int] = []
        for frame in self._stack:
            if not frame.is_map:
                steps.append(len(frame.items))
            elif frame.key is not None:
                steps.append(frame.key)
        return tuple(steps)

    def _refuse_tag(self, tag: str | None, origin: Origin) -> None:
        if tag is not None:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self._note(origin, self._path(), f"the tag `{shown}` is not read; remove it")

    # Places and problems

    def _place(self, event: Event) -> Origin:
        mark = event.start_mark
        return self._at(mark.line + 1, mark.column + 1) if mark else self._at(1, 1)

    def _at(self, line: int, column: int) -> Origin:
        return Origin(self._file, line, column, self._layer)

    def _note(self, origin: Origin, path: Path_, message: str) -> None:
        self.problems.append(Problem(origin, dotted(path), message))

    def _unreadable(self, origin: Origin, message: str) -> _UnreadableError:
        return _UnreadableError(Problem(origin, dotted(self._path()), message))


_CURES: Final = (
    (
        "mapping values are not allowed",
        "a second `: ` in one line (put such text in quotes), or a line indented too far",
    ),
    (
        "could not find expected ':'",
        "a key without its `:`, or a line that is not indented like its neighbours",
    ),
    (
        "expected <block end>, but found",
        "this line is not indented like its neighbours",
    ),
    ("while scanning a quoted scalar", "the quote that opens here is not closed"),
    ("while parsing a flow node", "a value is missing, or a bracket is not closed"),
    ("while parsing a flow", "the bracket that opens here is not closed, or lacks a `,` inside"),
    ("that cannot start any token", "text that begins with this character must be in quotes"),
)

_AT_CONTEXT: Final = (
    "could not find expected ':'",
    "while scanning a quoted scalar",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
)


def describe_syntax_error(error: YAMLError, text: str) -> tuple[int, int, str]:
    """Give line, column (both from 1) and a sentence for an error of PyYAML's parser."""
    if isinstance(error, ReaderError):
        return _describe_character(error, text)
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return 1, 1, f"not valid YAML: {error}"
    mark = error.problem_mark
    complaint = f"{error.context or ''} {error.problem or ''}"
    if error.context_mark is not None and any(each in complaint for each in _AT_CONTEXT):
        mark = error.context_mark  # where it begins; the other mark may be lines further down
    line, column = mark.line + 1, mark.column + 1
    tab = _tab_column(text, line)
    if tab is not None:
        return line, tab, "a tab; YAML is indented with spaces only"
    for fragment, cure in _CURES:
        if fragment in complaint:
            return line, column, f"not valid YAML: {cure}"
    return line, column, f"not valid YAML: {error.problem}"


def _describe_character(error: ReaderError, text: str) -> tuple[int, int, str]:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = len(before.rpartition("\n")[2]) + 1
    return line, column, f"the character U+{ord(text[error.position]):04X} may not stand in YAML"


def _tab_column(text: str, line: int) -> int | None:
    """Give the column of a tab among the blanks that begin `line`, or that follow its `:`."""
    lines = text.split("\n")
    if line > len(lines):
        return None
    content = lines[line - 1]
    blanks = content[: len(content) - len(content.lstrip(" \t"))]
    if "\t" in blanks:
        return blanks.index("\t") + 1
    for opening in (":\t", "-\t"):
        if opening in content:
            return content.index(opening) + len(opening)
    return None
