"""pip-tools, and `uv pip compile`: NAME.in against NAME.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.plan.lock_files.requirements import fits, name_of, normal, parse
from schoolctl.plan.lock_files.stale import StaleLock, beside, run_in_folder_of

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from schoolctl.plan.lock_files.stale import Files

_UNSAFE = frozenset({"pip", "setuptools", "distribute", "wheel"})
"""What pip-compile leaves out of its result unless told otherwise."""
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_HASHES = re.compile(r"\s--hash[ =]\S+")
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]?\s*(\S+)")
_IGNORED = re.compile(r"--?(?!r\b|e\b|requirement\b|editable\b)[a-z]")
_COMMAND = re.compile(r"following command:\s*\n(?:#\s*\n)*#\s+(\S.*)")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==")
_VIA = re.compile(r"^\s*#\s+(?:via\s+)?-r (\S+)$")


@dataclass
class _Content:
    """What a file of requirements holds, with those that it includes."""

    requirements: list[Requirement] = field(default_factory=list)
    complete: bool = True
    """Whether every line could be read."""


def compare(files: Files, lock_path: str) -> StaleLock | None:
    """Compare a NAME.txt with the NAME.in beside it."""
    source = lock_path.removesuffix(".txt") + ".in"
    if source.rpartition("/")[2] == ".in":
        return None
    wanted_text = files.read(source)
    locked_text = files.read(lock_path) if wanted_text is not None else None
    if wanted_text is None or locked_text is None:
        return None
    wanted, locked = _read(files, source), _read(files, lock_path)
    found = [
        *_missing(wanted, locked, source, lock_path),
        *_left_over(wanted, locked_text, source, lock_path),
    ]
    if not found:
        return None
    command = _COMMAND.search(locked_text)
    names = [path.rpartition("/")[2] for path in (source, lock_path)]
    cure = (
        f"`{command[1].strip()}`"
        if command
        else run_in_folder_of(source, f"pip-compile {names[0]} -o {names[1]}")
    )
    return StaleLock(lock_path, source, tuple(found), cure)


def _read(files: Files, path: str, seen: frozenset[str] = frozenset()) -> _Content:
    content = _Content()
    text = files.read(path)
    if text is None or path in seen:
        content.complete = text is not None
        return content
    for line in _lines(text):
        include = _INCLUDE.fullmatch(line)
        if include:
            inner = _read(files, beside(path, include[1]), seen | {path})
            content.requirements += inner.requirements
            content.complete &= inner.complete
        elif not _IGNORED.match(line):
            requirement = parse(line)
            if requirement is None:
                content.complete = False
            else:
                content.requirements.append(requirement)
    return content


def _lines(text: str) -> list[str]:
    joined = text.removeprefix("\ufeff").replace("\\\r\n", " ").replace("\\\n", " ")
    lines = (_HASHES.sub("", _COMMENT.sub("", line)).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def _missing(wanted: _Content, locked: _Content, source: str, lock_path: str) -> list[str]:
    pins: dict[str, list[Requirement]] = {}
    for each in locked.requirements:
        pins.setdefault(name_of(each), []).append(each)
    found = []
    for requirement in wanted.requirements:
        name = name_of(requirement)
        wish = str(requirement.specifier) or "any version"
        if name not in pins:
            if locked.complete and requirement.marker is None and name not in _UNSAFE:
                found.append(f"{name}: {source} wants {wish}, {lock_path} has none")
            continue
        if requirement.marker is not None or requirement.url is not None:
            continue
        versions = [_pinned(each) for each in pins[name]]
        known = [each for each in versions if each is not None]
        if len(known) == len(versions) and not fits(known, requirement.specifier):
            found.append(f"{name}: {source} wants {wish}, {lock_path} has {', '.join(known)}")
    return found


def _pinned(requirement: Requirement) -> str | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) == 1 and specifiers[0].operator in {"==", "==="}:
        version = specifiers[0].version
        return None if version.endswith(".*") else version
    return None


def _left_over(wanted: _Content, locked_text: str, source: str, lock_path: str) -> list[str]:
    """Find what is pinned for the source alone, and not named there; as far as comments tell."""
    if not wanted.complete:
        return []
    named = {name_of(each) for each in wanted.requirements}
    source_name = source.rpartition("/")[2]
    found = []
    package = ""
    for line in locked_text.splitlines():
        pin = _PIN.match(line)
        if pin:
            package = normal(pin[1])
        via = _VIA.match(line)
        if via and package not in named and via[1].rpartition("/")[2] == source_name:
            found.append(f"{package}: in {lock_path}, no longer in {source}")
    return found
