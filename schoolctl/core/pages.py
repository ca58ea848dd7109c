"""How help pages are laid out: a command's own options first, those of every command below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

_PLAIN = (
    (re.compile(r"(default: \d+)\.0\b"), r"\1"),
    (re.compile(r"default: \(([^()]*)\)"), r"default: \1"),
    (re.compile(r"\[x>=(\d+)\]"), r"[at least \1]"),
    (re.compile(r"\[(\d+)<=x<=(\d+)\]"), r"[\1 to \2]"),
    # Nought is what an option means that was not given.
    (re.compile(r"\s*\[default: 0\]$"), ""),
)
# The usage line shows which argument may be left out.
_REQUIRED = re.compile(r"\s*\[required\]$|; required(?=\]$)")
_BRACES = re.compile(r"^\{(.*)\}(\.*)$")


def write_options(command: Any, ctx: Any, formatter: Any, *, shared: Collection[str] = ()) -> None:
    """Write a command's arguments and options; those named in `shared` under a heading below.

    Args:
        command: a command or group of click's.
        ctx: its context.
        formatter: of the page.
        shared: the options that every command has.
    """
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        name, text = record
        title = "Options of every command" if param.name in shared else "Options"
        if param.param_type_name == "argument":
            title, name, text = "Arguments", name.rpartition(" <")[0], _REQUIRED.sub("", text)
        sections.setdefault(title, []).append((name, _in_words(text)))
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _in_words(text: str) -> str:
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    return text


def usage_pieces(pieces: list[str]) -> list[str]:
    """Give the words of a usage line without the braces that Typer puts around an argument."""
    return [_BRACES.sub(r"\1\2", piece) for piece in pieces]
