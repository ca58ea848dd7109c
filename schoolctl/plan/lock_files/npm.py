"""npm: package.json, with those of its workspaces, against package-lock.json.

What `npm ci` refuses is refused here: a package that is missing, or locked in a version out of its
range; and beside that, a package that the lock file still has for a package.json which no longer
names it. Source: npm's documentation, "package-lock.json" and `npm ci`.
"""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING, Any

from schoolctl.plan.lock_files.npm_ranges import satisfies
from schoolctl.plan.lock_files.stale import StaleLock, beside, run_in_folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.plan.lock_files.stale import Files

_NEEDED = ("dependencies", "devDependencies")
_ALL = (*_NEEDED, "optionalDependencies", "peerDependencies")


def compare(files: Files, lock_path: str) -> StaleLock | None:
    """Compare a package-lock.json or npm-shrinkwrap.json with the package.json beside it."""
    if lock_path.endswith("package-lock.json") and files.read(
        beside(lock_path, "npm-shrinkwrap.json")
    ):
        return None  # npm looks at the other one alone
    source = beside(lock_path, "package.json")
    lock, package = _read(files, lock_path), _read(files, source)
    if lock is None or package is None:
        return None
    found = list(_differences(package, _Locked(lock, ""), source, lock_path))
    if isinstance(lock.get("packages"), dict):
        for workspace in _workspaces(files, lock_path, package, lock["packages"]):
            found += workspace
    if not found:
        return None
    command = run_in_folder_of(lock_path, "npm install --package-lock-only")
    return StaleLock(lock_path, source, tuple(dict.fromkeys(found)), command)


def _read(files: Files, path: str) -> dict[str, Any] | None:
    text = files.read(path)
    try:
        content = json.loads((text or "").removeprefix("\ufeff"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


class _Locked:
    """What a lock file has for one package of the project.

    Args:
        lock: the lock file.
        folder: the package's, relative to the lock file; empty for the root.
    """

    def __init__(self, lock: Mapping[str, Any], folder: str) -> None:
        packages = lock.get("packages")
        self._packages: Mapping[str, Any] = packages if isinstance(packages, dict) else {}
        self._folder = folder
        # Version 1 has no `packages`, and tells nothing of what package.json was like.
        former = lock.get("dependencies")
        self._former: Mapping[str, Any] = former if isinstance(former, dict) else {}
        self.is_known = bool(self._packages or self._former or lock.get("lockfileVersion"))

    @property
    def wanted(self) -> dict[str, str]:
        """What the package.json wanted when the lock file was made."""
        return _wanted(self._packages.get(self._folder) or {}, _ALL)

    def entry(self, name: str) -> Mapping[str, Any] | None:
        """Give the package that `name` leads to, looked for as Node does; None without one."""
        if not self._packages:
            found = self._former.get(name)
            return found if isinstance(found, dict) else None
        folder = self._folder
        while True:
            inside = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
            found = self._packages.get(inside)
            if isinstance(found, dict) or not folder:
                return found if isinstance(found, dict) else None
            folder = folder.rpartition("/")[0]


def _differences(
    package: Mapping[str, Any], locked: _Locked, source: str, lock_path: str
) -> Iterator[str]:
    if not locked.is_known:
        return
    lock_name = lock_path.rpartition("/")[2]
    optional = _wanted(package, ("optionalDependencies",))
    now = _wanted(package, _ALL)
    for name, wanted in _wanted(package, _NEEDED).items():
        if name in optional or (not _is_judged(wanted) and locked.entry(name)):
            continue
        entry = locked.entry(name)
        if entry is None:
            if locked.wanted.get(name) != wanted:
                yield f"{name}: {source} wants {wanted or '*'}, {lock_name} has none"
            continue
        if name in (package.get("overrides") or {}) or entry.get("link"):
            continue
        has = str(entry.get("version", ""))
        if locked.wanted.get(name) != wanted and satisfies(has, _range(wanted)) is False:
            yield f"{name}: {source} wants {wanted}, {lock_name} has {has}"
    for name in locked.wanted:
        if name not in now:
            yield f"{name}: in {lock_name}, no longer in {source}"


def _wanted(package: Mapping[str, Any], groups: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for group in groups:
        given = package.get(group)
        if isinstance(given, dict):
            found |= {str(name): str(wanted).strip() for name, wanted in given.items()}
    return found


def _range(wanted: str) -> str:
    """Give the range of a dependency; of an alias (`npm:NAME@RANGE`), the one behind it."""
    return wanted.rpartition("@")[2] if wanted.startswith("npm:") else wanted


def _is_judged(wanted: str) -> bool:
    """Say whether it is a version from a registry, and no folder, repository or URL."""
    return wanted.startswith("npm:") or not any(sign in wanted for sign in ":/")


def _workspaces(
    files: Files, lock_path: str, package: Mapping[str, Any], packages: Mapping[str, Any]
) -> Iterator[list[str]]:
    lock_name = lock_path.rpartition("/")[2]
    for folder in packages:
        if not folder or "node_modules" in folder.split("/") or folder.startswith(".."):
            continue
        source = beside(lock_path, f"{folder}/package.json")
        theirs = _read(files, source)
        if theirs is not None:
            yield [
                *_differences(theirs, _Locked({"packages": packages}, folder), source, lock_path)
            ]
    for folder in _new_workspaces(files, lock_path, package):
        if folder not in packages:
            yield [f"{folder}: a workspace that {lock_name} does not have"]


def _new_workspaces(files: Files, lock_path: str, package: Mapping[str, Any]) -> Iterator[str]:
    given = package.get("workspaces")
    patterns = given.get("packages") if isinstance(given, dict) else given
    if not isinstance(patterns, list) or any(str(each).startswith("!") for each in patterns):
        return
    clean = [str(each).removeprefix("./").rstrip("/") for each in patterns]
    top = beside(lock_path, "")
    for path in files.paths:
        if not path.startswith(top) or not path.endswith("/package.json"):
            continue
        folder = path.removeprefix(top).removesuffix("/package.json")
        if "node_modules" in folder.split("/"):
            continue
        # `*` stops at a slash here, which fnmatch's does not.
        if any(
            "**" not in pattern
            and folder.count("/") == pattern.count("/")
            and fnmatch.fnmatchcase(folder, pattern)
            for pattern in clean
        ):
            yield folder
