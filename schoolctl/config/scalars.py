"""What an unquoted word in the file means, and the words that mean two things.

YAML 1.1 and 1.2 read some plain scalars differently: `no` is a boolean or a word, `012345670123`
is an octal or a decimal number. Which of the two a reader expects is luck, so each of them is
refused, with the way to write it that has one meaning.

Source: yaml.org/type (bool, int, float, timestamp, merge) and the YAML 1.2.2 core schema.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

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
