"""A table as lines of text: columns beside each other, the last one folded where it must be.

Not rich's: that takes seconds for ten thousand rows.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_GAP = "  "
_LAST_COLUMN = 24
"""How narrow the last column may become."""


def aligned(
    rows: Sequence[Sequence[str]], *, right: Sequence[bool], width: int | None = None
) -> Iterator[str]:
    """Give a line for each row; more where the last cell is folded.

    The last column gives way where the lines would be wider than `width`; the others never do, for
    a row without its key says nothing.

    Args:
        rows: of as many cells each, the headings first.
        right: for each column, whether it is set to the right.
        width: of the terminal, in columns; None is without end.
    """
    columns = list(zip(*rows, strict=True))
    if all(map(_is_plain, columns)):
        widths = [max(map(len, column)) for column in columns]
        if width is None or sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
            # A fifth of the time of what follows, for the ten thousand images of a repository.
            signs = ["" if to_right else "-" for to_right in right]
            line = _GAP.join(f"%{sign}{each}s" for sign, each in zip(signs, widths, strict=True))
            yield from ((line % tuple(row)).rstrip() for row in rows)
            return
    yield from _folding(rows, [max(map(_cells, column)) for column in columns], right, width)


def _is_plain(column: Iterable[str]) -> bool:
    text = "".join(column)
    return text.isascii() and "\n" not in text


def _folding(
    rows: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool], width: int | None
) -> Iterator[str]:
    """Give the lines of a table that holds any characters, and may be too wide."""
    before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    last = widths[-1]
    if width is not None:
        last = min(last, max(width - before, _LAST_COLUMN))
    for row in rows:
        parts = [
            _set(cell, each, right=to_right)
            for cell, each, to_right in zip(row[:-1], widths, right, strict=False)
        ]
        head = "".join(f"{part}{_GAP}" for part in parts)
        folded = _folded(row[-1], last)
        for start, text in zip_longest((head,), folded, fillvalue=" " * before):
            shown = _set(text, last, right=right[-1])
            yield f"{start}{shown}".rstrip()


def _set(text: str, width: int, *, right: bool) -> str:
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    space = " " * (width - _cells(text))
    return f"{space}{text}" if right else f"{text}{space}"


def _cells(text: str) -> int:
    """Give how many columns a terminal takes for a text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _folded(text: str, width: int) -> list[str]:
    if _cells(text) <= width and "\n" not in text:
        return [text]
    from rich.console import Console
    from rich.text import Text

    console = Console(markup=False, highlight=False, emoji=False)
    return [line.plain for line in Text(text).wrap(console, width, overflow="fold")]
