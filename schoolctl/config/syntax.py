"""PyYAML's complaints in words that name the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

if TYPE_CHECKING:
    from yaml import YAMLError

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
