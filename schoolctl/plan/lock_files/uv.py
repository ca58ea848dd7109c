"""uv: pyproject.toml, with those of its workspace, against uv.lock.

uv.lock repeats for each package of the project what its pyproject.toml wanted. Source: uv's
documentation, "Project structure and files", and the files it writes.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from schoolctl.plan.lock_files.requirements import (
    name_of,
    normal,
    parse,
    same_specifiers,
    table,
)
from schoolctl.plan.lock_files.stale import StaleLock, beside, run_in_folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from schoolctl.plan.lock_files.stale import Files

    Wanted = dict[str, list[str]]
    """The specifiers for each name: a package may be wanted several times, with markers."""

_LOCAL_SOURCES = ("virtual", "editable", "directory")
_ELSEWHERE = frozenset({"git", "url", "path", *_LOCAL_SOURCES})
_EXTRA = re.compile(r"\bextra\b")


def compare(files: Files, lock_path: str) -> StaleLock | None:
    """Compare a uv.lock with the pyproject.toml beside it, and with its workspace's."""
    lock = _read(files, lock_path)
    source = beside(lock_path, "pyproject.toml")
    if lock is None or _read(files, source) is None:
        return None
    packages = lock.get("package")
    found: list[str] = []
    for package in packages if isinstance(packages, list) else []:
        place = _place(package)
        if place is None:
            continue
        path = beside(lock_path, "pyproject.toml" if place == "." else f"{place}/pyproject.toml")
        project = _read(files, path)
        if project is not None:
            found += _differences(project, package, path, lock_path)
    if not found:
        return None
    return StaleLock(lock_path, source, tuple(found), run_in_folder_of(lock_path, "uv lock"))


def _read(files: Files, path: str) -> dict[str, Any] | None:
    text = files.read(path)
    try:
        return tomllib.loads(text) if text is not None else None
    except tomllib.TOMLDecodeError:
        return None


def _place(package: object) -> str | None:
    """Give the folder of a package that is part of the project; None for all others."""
    source = table(package, "source")
    found = next((source[key] for key in _LOCAL_SOURCES if key in source), None)
    return str(found) if found is not None and not str(found).startswith("..") else None


def _differences(
    project: Mapping[str, Any], package: Mapping[str, Any], source: str, lock_path: str
) -> Iterator[str]:
    about = table(project, "project")
    if normal(str(about.get("name", ""))) != normal(str(package.get("name", ""))):
        return
    metadata = table(package, "metadata")
    dynamic = about.get("dynamic") or []
    if "dependencies" not in dynamic and isinstance(metadata.get("requires-dist", []), list):
        locked = _locked(metadata.get("requires-dist", []), extras=False)
        yield from _compared(_wanted(about.get("dependencies", [])), locked, source, lock_path)
        if "optional-dependencies" not in dynamic:
            optional = [
                each for group in table(about, "optional-dependencies").values() for each in group
            ]
            locked = _locked(metadata.get("requires-dist", []), extras=True)
            yield from _compared(_wanted(optional), locked, source, lock_path)
    yield from _groups(project, table(metadata, "requires-dev"), source, lock_path)


def _groups(
    project: Mapping[str, Any], locked: Mapping[str, Any], source: str, lock_path: str
) -> Iterator[str]:
    groups = dict(table(project, "dependency-groups"))
    former = table(project, "tool", "uv").get("dev-dependencies")
    if isinstance(former, list):
        groups["dev"] = [*groups.get("dev", []), *former]
    for name, wanted in groups.items():
        # A group that includes another is written out in the lock file.
        if isinstance(wanted, list) and all(isinstance(each, str) for each in wanted):
            known = {normal(key): value for key, value in locked.items()}
            there = _locked(known.get(normal(name), ()))
            yield from _compared(_wanted(wanted), there, source, lock_path)


def _wanted(texts: Iterable[Any]) -> Wanted | None:
    found: Wanted = {}
    for text in texts:
        requirement = parse(text) if isinstance(text, str) else None
        if requirement is None:
            return None
        # Where it comes from is in the lock file in another form.
        wish = "*" if requirement.url else str(requirement.specifier)
        found.setdefault(name_of(requirement), []).append(wish)
    return found


def _locked(entries: Iterable[Any], *, extras: bool | None = None) -> Wanted | None:
    found: Wanted = {}
    for entry in entries:
        if not isinstance(entry, dict) or "name" not in entry:
            return None
        if extras is not None and bool(_EXTRA.search(str(entry.get("marker", "")))) != extras:
            continue
        from_registry = not (
            {"git", "url", "path", "directory", "editable", "virtual"} & set(entry)
        )
        wish = str(entry.get("specifier", "")) if from_registry else "*"
        found.setdefault(normal(str(entry["name"])), []).append(wish)
    return found


def _compared(
    wanted: Wanted | None, locked: Wanted | None, source: str, lock_path: str
) -> Iterator[str]:
    if wanted is None or locked is None:
        return
    for name, wishes in wanted.items():
        if name not in locked:
            yield f"{name}: in {source}, not in {lock_path}"
        elif len(wishes) == len(locked[name]) == 1:
            ours, theirs = wishes[0], locked[name][0]
            if "*" not in {ours, theirs} and not same_specifiers(ours, theirs):
                yield (
                    f"{name}: {source} wants {ours or 'any version'},"
                    f" {lock_path} is for {theirs or 'any version'}"
                )
    for name in locked:
        if name not in wanted:
            yield f"{name}: in {lock_path}, no longer in {source}"
