"""Which paths a .dockerignore leaves out: Docker's rules, which are not git's.

A pattern is anchored at the root of the context, `*` stops at a slash, the last pattern that
matches a path or one of its parents decides, and `!` takes back. Source: moby's `patternmatcher`
and docs.docker.com, "Build context". BuildKit's reading is followed where the classic builder's
differs: an exception with wildcards (`!**/*.py`) reaches into a directory that is left out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from schoolctl.base.errors import SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True)
class _Pattern:
    takes_back: bool
    regex: re.Pattern[str]
    fixed: tuple[str, ...]
    """Its leading parts without a wildcard."""


class DockerIgnore:
    """The patterns of one ignore file.

    Args:
        text: the file's content.
        name: the file, for the message about a pattern that cannot be read.
    """

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        self._patterns = tuple(_patterns(text, name))

    def leaves_out(self, path: str) -> bool:
        """Say whether `path`, relative to the context and with `/`, is not sent."""
        prefixes = _with_parents(path)
        left_out = False
        for pattern in self._patterns:
            # A pattern that would change nothing need not be tried.
            if pattern.takes_back == left_out and any(map(pattern.regex.fullmatch, prefixes)):
                left_out = not pattern.takes_back
        return left_out

    def may_take_back_in(self, folder: str) -> bool:
        """Say whether something in a folder that is left out could be sent after all.

        It may say so in vain; where it says no, the folder need not be walked.
        """
        parts = folder.split("/")
        return any(
            all(ours == theirs for ours, theirs in zip(parts, each.fixed, strict=False))
            for each in self._patterns
            if each.takes_back
        )


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _patterns(text: str, name: str) -> Iterator[_Pattern]:
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if raw.startswith("#") or not raw.strip():
            continue
        line = raw.strip()
        takes_back = line.startswith("!")
        pattern = posixpath.normpath("/" + line.removeprefix("!").strip()).lstrip("/")
        if not pattern:  # `.` and `/`, which Docker ignores for historical reasons
            continue
        try:
            regex = re.compile(_regex(pattern), re.DOTALL)
        except re.error as error:
            raise SchoolctlError(
                f"{name}:{number}: Docker cannot read the pattern {line}",
                why=str(error),
                hint="close every `[`, and put a backslash before a bracket that is a name's own",
            ) from error
        plain = takewhile(lambda part: not _WILD.search(part), pattern.split("/"))
        yield _Pattern(takes_back, regex, tuple(plain))


def _regex(pattern: str) -> str:
    """Give the regular expression of a cleaned pattern."""
    found = []
    rest = pattern
    while rest:
        if rest.startswith("**"):
            rest = rest.lstrip("*")
            found.append("(?:.*/)?" if rest.startswith("/") else ".*")
            rest = rest.removeprefix("/")
            continue
        piece, rest = rest[0], rest[1:]
        match piece:
            case "*":
                found.append("[^/]*")
            case "?":
                found.append("[^/]")
            case "[":
                end = _end_of_class(rest)
                found.append("[" + rest[:end])
                rest = rest[end:]
            case "\\" if rest:
                found.append(re.escape(rest[0]))
                rest = rest[1:]
            case _:
                found.append(re.escape(piece))
    return "".join(found)


def _end_of_class(text: str) -> int:
    """Give the length of a character class after its `[`; all of `text`, where it does not end."""
    end = text.find("]", 2 if text.startswith("^") else 1)
    return len(text) if end < 0 else end + 1
