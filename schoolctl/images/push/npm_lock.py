"""Lock files that `npm ci` in a Dockerfile would refuse. Pure.

`npm ci` fails in the middle of a build; here the same is refused before it. As npm does, this walks
from package.json along the dependencies, and looks each one up in the lock file; what else the lock
file holds is no difference. Where npm would ask a registry or a repository (for a tag, a URL, a git
repository), and where it is not certain what npm would do, nothing is refused.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nodesemver

from schoolctl.base.errors import SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    Read = Callable[[str], str | None]
    Table = Mapping[str, Any]

_MOST_SHOWN = 10
_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")  # of both, npm takes the first
_NPM_CI = re.compile(
    r"\bnpm\b(?![^\n&|;]*\brun\b)[^\n&|;]*[\s\"'](?:ci|ic|clean-install|install-clean)(?![\w:./-])"
    r"(?![^\n;]*\|\|)"
)
_COMMENT = re.compile(r"^\s*[#;].*", re.MULTILINE)
_NO_PEERS = re.compile(r"legacy[-_]peer[-_]deps(?!\s*=\s*false)|--force\b", re.IGNORECASE)
_GROUPS = ("peerDependencies", "dependencies", "optionalDependencies", "devDependencies")
"""Of a package that is in several, the last counts."""


@dataclass(frozen=True)
class StaleLock:
    """A lock file that `npm ci` would refuse.

    Attributes:
        lock: its path in the context.
        source: the path of its package.json.
        differences: a sentence each, beginning with the package.
        cure: the command that makes it anew, and where.
    """

    lock: str
    source: str
    differences: tuple[str, ...]
    cure: str


def find_stale_locks(paths: Collection[str], read: Read, dockerfile: str) -> list[StaleLock]:
    """Return the lock files that the build's `npm ci` would refuse.

    Args:
        paths: what the build context holds, each relative to it and with `/`.
        read: returns the text of a file by such a path, None where there is none.
        dockerfile: its text. Without `npm ci` in it no lock file counts, and none in a folder that
            it does not name.
    """
    dockerfile = _COMMENT.sub("", dockerfile)
    if not _NPM_CI.search(dockerfile):
        return []
    projects: list[_Project] = []
    for folder in sorted({posixpath.dirname(each) for each in paths if each.endswith(_LOCKS)}):
        lock = next((each for each in _LOCKS if posixpath.join(folder, each) in paths), None)
        is_named = not folder or re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w.-])", dockerfile)
        if lock and is_named and "node_modules" not in folder.split("/"):
            projects.append(_Project(folder, lock, paths, read, dockerfile))
    members = {each.path(place) for each in projects for place in each.members.values()}
    found = []
    for project in projects:
        folder, source = project.path(""), project.path("package.json")
        differences = tuple(dict.fromkeys(project.differences()))
        if differences and folder not in members:
            cure = "`npm install --package-lock-only`" + (f" in {folder}/" if folder else "")
            found.append(StaleLock(project.path(project.lock), source, differences, cure))
    return found


def refuse_stale_locks(found: Sequence[StaleLock]) -> None:
    """Raise a `SchoolctlError` that names each difference and its cure; without any, do nothing."""
    if not found:
        return
    lines = []
    for stale in found:
        lines.append(f"`npm ci` would refuse {stale.lock}:")
        lines += [f"  {each}" for each in stale.differences[:_MOST_SHOWN]]
        if len(stale.differences) > _MOST_SHOWN:
            lines.append(f"  and {len(stale.differences) - _MOST_SHOWN} more")
    raise SchoolctlError(
        "nothing was built: "
        + ("a lock file is" if len(found) == 1 else f"{len(found)} lock files are")
        + " out of step with package.json",
        why="\n".join(lines),
        hint=f"run {', '.join(each.cure for each in found)}, and commit the result;"
        " --allow-stale-lock builds all the same",
    )


class _Project:
    """A package.json with its lock file; a place is a key of the lock file's `packages`."""

    def __init__(
        self, folder: str, lock: str, paths: Collection[str], read: Read, dockerfile: str
    ) -> None:
        self.lock, self._folder, self._paths, self._read = lock, folder, paths, read
        content = _parse(read(self.path(lock)))
        self._package = _parse(read(self.path("package.json")))
        version = str(content.get("lockfileVersion"))
        self._is_judged = version in {"1", "2", "3"} and bool(self._package)
        self._entries = _table(content, "packages")
        if version == "1":  # What a dependency depends on is not judged: npm asks the registry.
            former = _table(content, "dependencies")
            versions = {name: _table(former, name).get("version") for name in former}
            self._entries = {f"node_modules/{each}": {"version": versions[each]} for each in former}
        npmrc = _COMMENT.sub("", read(self.path(".npmrc")) or "")
        self._takes_peers = version != "1" and not _NO_PEERS.search(dockerfile + npmrc)
        self._overrides = _overrides(self._package)
        self.members = dict(self._find_members()) if version != "1" else {}

    def path(self, place: str) -> str:
        """Return the path of a place in the context."""
        path = posixpath.normpath(posixpath.join(self._folder, place))
        return "" if path == "." else path

    def differences(self) -> Iterator[str]:
        """Return what `npm ci` would refuse, a sentence each."""
        queue = [""] if self._is_judged else []
        seen = {""}
        for place in queue:
            is_ours = "node_modules" not in place.split("/")
            by = self.path(f"{place}/package.json".lstrip("/")) if is_ours else place
            for name, (group, wanted) in self._wanted_at(place, is_ours=is_ours).items():
                found = [each for each in _places(place, name) if each in self._entries]
                if not found and (is_ours or group != "optionalDependencies"):
                    yield f"{name}: {by} wants {wanted or '*'}, {self.lock} has none"
                if not found:
                    continue
                versions = [self._package_at(self._target(each)).get("version") for each in found]
                is_certain = is_ours or group != "peerDependencies"
                if is_certain and not any(_fits(each, wanted) for each in versions):
                    yield f"{name}: {by} wants {wanted}, {self.lock} has {versions[0]}"
                target = self._target(found[0])
                is_sent = self.path(f"{target}/package.json") in self._paths
                if target not in seen and (is_sent or "node_modules" in target.split("/")):
                    seen.add(target)
                    queue.append(target)

    def _wanted_at(self, place: str, *, is_ours: bool) -> dict[str, tuple[str, str]]:
        """Return the group and the wanted version of each dependency of the package at a place."""
        package = self._package_at(place)
        bundled = () if is_ours else package.get("bundleDependencies") or ()
        if package.get("inBundle") or package.get("hasShrinkwrap") or bundled is True:
            return {}  # whoever published it chose
        found: dict[str, tuple[str, str]] = {}
        for group in _GROUPS if is_ours else _GROUPS[:-1]:
            for name, wanted in _table(package, group).items():
                about = _table(_table(package, "peerDependenciesMeta"), name)
                is_peer = group == "peerDependencies"
                if name not in bundled and not (
                    is_peer and (about.get("optional") or not self._takes_peers)
                ):
                    found[name] = group, str(wanted).strip()
        for name in found.keys() & {*_table(package, "acceptDependencies"), *self._overrides}:
            override = "" if is_ours else self._overrides.get(name, "")
            found[name] = found[name][0], override
        if not place:
            found |= {name: ("workspaces", f"file:{at}") for name, at in self.members.items()}
        return found

    def _package_at(self, place: str) -> Table:
        """Return the package.json at a place, or what the lock file keeps of it."""
        entry = _table(self._entries, place)
        if "node_modules" in place.split("/"):
            return entry
        return _parse(self._read(self.path(posixpath.join(place, "package.json")))) or entry

    def _target(self, place: str) -> str:
        entry = _table(self._entries, place)
        return posixpath.normpath(str(entry.get("resolved"))) if entry.get("link") else place

    def _find_members(self) -> Iterator[tuple[str, str]]:
        given = self._package.get("workspaces")
        patterns = given.get("packages") if isinstance(given, dict) else given
        wanted: list[str] = []
        unwanted: list[str] = []
        for pattern in patterns if isinstance(patterns, list) else []:
            glob = posixpath.normpath(str(pattern).removeprefix("!"))
            regex = re.escape(glob).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
            (unwanted if str(pattern).startswith("!") else wanted).append(regex)
        for path in sorted(self._paths):
            folder, name = posixpath.split(path)
            place = posixpath.relpath(folder or ".", self._folder or ".")
            if name != "package.json" or place.startswith(".") or "node_modules" in place:
                continue
            if any(re.fullmatch(each, place) for each in wanted) and not any(
                re.fullmatch(each, place) for each in unwanted
            ):
                package = self._package_at(place)
                yield str(package.get("name") or posixpath.basename(place)), place


def _parse(text: str | None) -> Table:
    try:
        content = json.loads((text or "").removeprefix("\ufeff"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _table(content: Table, key: str) -> Table:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _places(place: str, name: str) -> Iterator[str]:
    """Return where Node looks for a package, nearest first."""
    while place:
        yield f"{place}/node_modules/{name}"
        place = posixpath.dirname(place)
    yield f"node_modules/{name}"


def _overrides(package: Table) -> dict[str, str]:
    """Return what each overridden package is wanted as; empty where that is not certain."""
    found: dict[str, str] = {}
    rules = [(name, rule, True) for name, rule in _table(package, "overrides").items()]
    for key, rule, is_top in rules:
        name = key[:1] + key[1:].partition("@")[0]
        is_plain = is_top and name == key and name not in found and not str(rule).startswith("$")
        found[name] = rule if is_plain and isinstance(rule, str) else ""
        if isinstance(rule, dict):
            rules += [(inner, each, False) for inner, each in rule.items()]
    return found


def _fits(version: object, wanted: str) -> bool:
    """Say whether a version is in a range; what is no version or no range fits."""
    wanted = wanted[5:].rpartition("@")[2] if wanted.startswith("npm:") else wanted
    if wanted in {"", "*"} or not isinstance(version, str) or not nodesemver.valid(version, True):
        return True
    if nodesemver.valid_range(wanted, True) is None:
        return True
    return bool(nodesemver.satisfies(version, wanted, loose=True))
