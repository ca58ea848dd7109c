"""npm's lock file: refused is what `npm ci` refuses, and nothing else is.

Each row of `PROJECTS` and `FORMATS` was put before `npm ci --ignore-scripts --dry-run` of npm
8.19.4, 9.9.4, 10.9.9 and 11.19.1, and each lock file of version 1 before npm 6.14.18 (without
--dry-run), with the public registry. REFUSED and ACCEPTED are what all of them say. NPM_ALONE is
what some or all of them refuse, and schoolctl leaves to them.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import pytest

from schoolctl.base.errors import SchoolctlError
from schoolctl.images.push.npm_lock import StaleLock, find_stale_locks, refuse_stale_locks

Json = dict[str, Any]


class Verdict(Enum):
    """What npm says to a lock file, and whether schoolctl says so first."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NPM_ALONE = "refused by npm alone"


ACCEPTED, REFUSED, NPM_ALONE = Verdict
DOCKERFILE = "FROM node\nCOPY . .\nRUN npm ci\n"


def wants(**packages: str) -> Json:
    return {"dependencies": {name.replace("_", "-"): version for name, version in packages.items()}}


def locked(**packages: Json) -> Json:
    """Give entries of a lock file; `__` is what one is nested by."""
    names = {
        each: "/node_modules/".join(part.replace("_", "-") for part in each.split("__"))
        for each in packages
    }
    return {f"node_modules/{names[each]}": entry for each, entry in packages.items()}


MS, MS_1, MS_3 = {"version": "2.1.3"}, {"version": "1.0.0"}, {"version": "3.0.0-canary.1"}
PAD = {"name": "left-pad", "version": "1.3.0"}
FSEVENTS = {"version": "2.3.3", "optional": True, "os": ["darwin"]}
DEBUG = {"version": "4.4.3", **wants(ms="^2.1.3")}
DEBUG_OPTIONAL = {"version": "4.4.3", "optionalDependencies": {"ms": "^2.1.3"}}
OPTIONAL_MS = {"peerDependenciesMeta": {"ms": {"optional": True}}}
PEER_1, PEER_2 = {"peerDependencies": {"ms": "1"}}, {"peerDependencies": {"ms": "2"}}
DEV_1, DEV_2 = {"devDependencies": {"ms": "1"}}, {"devDependencies": {"ms": "2"}}
OPTIONAL_1 = {"optionalDependencies": {"ms": "1"}}
OPTIONAL_2 = {"optionalDependencies": {"ms": "2"}}
THUNK = {"version": "2.4.2", "peerDependencies": {"ms": "^2"}}
ONCE = {"version": "1.4.0", **wants(wrappy="1"), "inBundle": True}
A = {"name": "a", "version": "1.0.0"}
LINKED = {"node_modules/a": {"resolved": "packages/a", "link": True}, "packages/a": A}
LINKED_AS_MS = {"node_modules/ms": {"resolved": "packages/a", "link": True}, "packages/a": A}
MEMBERS = {"workspaces": ["packages/*"]}
FOLDER = wants(a="file:packages/a")
TARBALL = "https://registry.npmjs.org/ms/-/ms-{}.tgz"


PROJECTS: list[tuple[str, Json, Json, Json | None, Verdict]] = [
    # What it is, package.json, the lock file's packages, packages/a/package.json, npm's verdict.
    ("in step", wants(ms="^2.0.0"), locked(ms=MS), None, ACCEPTED),
    ("another range that fits", wants(ms="^1 || >=2.1"), locked(ms=MS), None, ACCEPTED),
    ("out of range", wants(ms="^1.0.0"), locked(ms=MS), None, REFUSED),
    ("another exact version", wants(ms="2.1.2"), locked(ms=MS), None, REFUSED),
    ("missing", wants(ms="^2.0.0", once="1"), locked(ms=MS), None, REFUSED),
    ("no longer wanted", {}, locked(ms=MS), None, ACCEPTED),
    ("no longer wanted, nor complete", {}, locked(debug=DEBUG), None, ACCEPTED),
    ("spaces", wants(ms=" >= 2.0.0  < 3 "), locked(ms=MS), None, ACCEPTED),
    ("a prerelease for *", wants(ms="*"), locked(ms=MS_3), None, ACCEPTED),
    ("a prerelease for the empty range", wants(ms=""), locked(ms=MS_3), None, ACCEPTED),
    ("a prerelease for x", wants(ms="x"), locked(ms=MS_3), None, REFUSED),
    ("a prerelease for >=0", wants(ms=">=0"), locked(ms=MS_3), None, REFUSED),
    ("acceptDependencies", {**wants(ms="1"), "acceptDependencies": {"ms": "2"}}, locked(ms=MS),
     None, ACCEPTED),
    # Groups
    ("moved to dev", DEV_2, locked(ms=MS), None, ACCEPTED),
    ("dev missing", DEV_2, {}, None, REFUSED),
    ("dev out of range", DEV_1, locked(ms=MS), None, REFUSED),
    ("dev counts, not dependencies", {**wants(ms="1"), **DEV_2}, locked(ms=MS), None, ACCEPTED),
    ("dependencies do not count", {**wants(ms="2"), **DEV_1}, locked(ms=MS), None, REFUSED),
    ("dev counts, not optional", {**OPTIONAL_1, **DEV_2}, locked(ms=MS), None, ACCEPTED),
    ("optional does not count", {**OPTIONAL_2, **DEV_1}, locked(ms=MS), None, REFUSED),
    ("dev counts, not peer", {**PEER_1, **DEV_2}, locked(ms=MS), None, ACCEPTED),
    ("peer does not count", {**PEER_2, **DEV_1}, locked(ms=MS), None, REFUSED),
    ("optional missing", OPTIONAL_2, {}, None, REFUSED),
    ("optional out of range", OPTIONAL_1, locked(ms=MS), None, REFUSED),
    ("optional counts", {**wants(ms="1"), **OPTIONAL_2}, locked(ms=MS), None, ACCEPTED),
    ("for another platform", {"optionalDependencies": {"fsevents": "2"}}, locked(fsevents=FSEVENTS),
     None, ACCEPTED),
    ("for another platform, missing", {"optionalDependencies": {"fsevents": "2"}}, {}, None,
     REFUSED),
    ("peer missing", PEER_2, {}, None, REFUSED),
    ("peer missing, nested elsewhere", PEER_2, locked(debug__ms=MS), None, REFUSED),
    ("peer out of range", PEER_1, locked(ms=MS), None, REFUSED),
    ("optional peer missing", {**PEER_2, **OPTIONAL_MS}, {}, None, ACCEPTED),
    ("optional peer out of range", {**PEER_1, **OPTIONAL_MS}, locked(ms=MS), None, NPM_ALONE),
    # Dependencies of dependencies
    ("theirs missing", wants(debug="4"), locked(debug=DEBUG), None, REFUSED),
    ("theirs out of range", wants(debug="4"), locked(debug=DEBUG, ms=MS_1), None, REFUSED),
    ("theirs nested", wants(debug="4", ms="1"), locked(debug=DEBUG, ms=MS_1, debug__ms=MS), None,
     ACCEPTED),
    ("nested out of range, above it fits", wants(debug="4", ms="2"),
     locked(debug=DEBUG, ms=MS, debug__ms=MS_1), None, ACCEPTED),
    ("a circle", wants(a="1"), locked(a={**A, **wants(b="1")}, b={**A, **wants(a="1")}), None,
     ACCEPTED),
    ("their optional missing", wants(debug="4"), locked(debug=DEBUG_OPTIONAL), None, NPM_ALONE),
    ("their optional out of range", wants(debug="4"), locked(debug=DEBUG_OPTIONAL, ms=MS_1), None,
     REFUSED),
    ("their peer missing", wants(redux_thunk="2"), locked(redux_thunk=THUNK), None, REFUSED),
    ("their peer out of range", wants(redux_thunk="2", ms="1"),
     locked(redux_thunk=THUNK, ms=MS_1), None, NPM_ALONE),
    ("their optional peer missing", wants(redux_thunk="2"),
     locked(redux_thunk={**THUNK, **OPTIONAL_MS}), None, ACCEPTED),
    ("their optional peer out of range", wants(redux_thunk="2", ms="1"),
     locked(redux_thunk={**THUNK, **OPTIONAL_MS}, ms=MS_1), None, NPM_ALONE),
    ("bundled by them", wants(debug="4"), locked(debug={**DEBUG, "bundleDependencies": ["ms"]}),
     None, ACCEPTED),
    ("all bundled by them", wants(debug="4"), locked(debug={**DEBUG, "bundleDependencies": True}),
     None, ACCEPTED),
    ("of a bundled one, missing", wants(debug="4"),
     locked(debug={**DEBUG, **wants(once="1"), "bundleDependencies": ["once"]}, debug__once=ONCE),
     None, NPM_ALONE),
    ("they have a shrinkwrap", wants(debug="4"), locked(debug={**DEBUG, "hasShrinkwrap": True}),
     None, ACCEPTED),
    ("bundled by the project", {**wants(ms="2"), "bundleDependencies": ["ms"]}, {}, None, REFUSED),
    # Overrides
    ("override in step", {**wants(debug="4"), "overrides": {"ms": "1.0.0"}},
     locked(debug=DEBUG, ms=MS_1), None, ACCEPTED),
    ("override changed", {**wants(debug="4"), "overrides": {"ms": "2.0.0"}},
     locked(debug=DEBUG, ms=MS), None, REFUSED),
    ("override that fits", {**wants(debug="4"), "overrides": {"ms": ">=2.1"}},
     locked(debug=DEBUG, ms=MS), None, ACCEPTED),
    ("override removed", wants(debug="4"), locked(debug=DEBUG, ms=MS_1), None, REFUSED),
    ("override *", {**wants(debug="4"), "overrides": {"ms": "*"}}, locked(debug=DEBUG, ms=MS_1),
     None, NPM_ALONE),
    ("override refers", {**wants(debug="4", ms="1.0.0"), "overrides": {"ms": "$ms"}},
     locked(debug=DEBUG, ms=MS_1), None, ACCEPTED),
    ("override nested", {**wants(debug="4"), "overrides": {"debug": {"ms": "1.0.0"}}},
     locked(debug=DEBUG, ms=MS_1), None, ACCEPTED),
    ("override nested, changed", {**wants(debug="4"), "overrides": {"debug": {"ms": "1.0.0"}}},
     locked(debug=DEBUG, ms=MS), None, NPM_ALONE),
    ("override of versions", {**wants(debug="4"), "overrides": {"ms@2": "1.0.0"}},
     locked(debug=DEBUG, ms=MS_1), None, ACCEPTED),
    ("override of other versions", {**wants(debug="4"), "overrides": {"ms@0": "1.0.0"}},
     locked(debug=DEBUG, ms=MS), None, ACCEPTED),
    ("override of versions, changed", {**wants(debug="4"), "overrides": {"ms@2": "1.0.0"}},
     locked(debug=DEBUG, ms=MS), None, NPM_ALONE),
    ("override by a tag", {**wants(debug="4"), "overrides": {"ms": "latest"}},
     locked(debug=DEBUG, ms=MS), None, ACCEPTED),
    ("override by an alias", {**wants(debug="4"), "overrides": {"ms": "npm:left-pad@1.3.0"}},
     locked(debug=DEBUG, ms=PAD), None, ACCEPTED),
    ("override of one's own", {**wants(ms="2"), "overrides": {"ms": "1.0.0"}}, locked(ms=MS), None,
     NPM_ALONE),
    ("override of a workspace's", {**MEMBERS, "overrides": {"ms": "1.0.0"}},
     {**LINKED, **locked(ms=MS)}, {**A, **wants(ms="2")}, NPM_ALONE),
    ("override in a workspace", MEMBERS, {**LINKED, **locked(debug=DEBUG, ms=MS)},
     {**A, **wants(debug="4"), "overrides": {"ms": "1.0.0"}}, ACCEPTED),
    # Workspaces
    ("workspace in step", MEMBERS, {**LINKED, **locked(ms=MS)}, {**A, **wants(ms="2")}, ACCEPTED),
    ("workspace out of range", MEMBERS, {**LINKED, **locked(ms=MS)}, {**A, **wants(ms="1")},
     REFUSED),
    ("workspace's own", {**MEMBERS, **wants(ms="2")},
     {**LINKED, **locked(ms=MS), "packages/a/node_modules/ms": MS_1}, {**A, **wants(ms="1")},
     ACCEPTED),
    ("workspace wants less", MEMBERS, {**LINKED, **locked(ms=MS)}, A, ACCEPTED),
    ("workspace's missing", MEMBERS, LINKED, {**A, **wants(ms="1")}, REFUSED),
    ("workspace's dev missing", MEMBERS, LINKED, {**A, **DEV_1}, REFUSED),
    ("workspace's optional missing", MEMBERS, LINKED, {**A, **OPTIONAL_1}, REFUSED),
    ("workspace's peer missing", MEMBERS, LINKED, {**A, **PEER_1}, REFUSED),
    ("workspace's peer out of range", MEMBERS, {**LINKED, **locked(ms=MS)}, {**A, **PEER_1},
     REFUSED),
    ("workspace's optional peer missing", MEMBERS, LINKED, {**A, **PEER_1, **OPTIONAL_MS},
     ACCEPTED),
    ("new workspace", MEMBERS, {}, A, REFUSED),
    ("new workspace, by name", {"workspaces": ["./packages/a/"]}, {}, A, REFUSED),
    ("new workspace, any depth", {"workspaces": ["pack*/**"]}, {}, A, REFUSED),
    ("new workspace, in a table", {"workspaces": {"packages": ["packages/*"]}}, {}, A, REFUSED),
    ("no workspace", {"workspaces": ["packages/*", "!packages/a"]}, {}, A, ACCEPTED),
    ("workspace renamed", MEMBERS, LINKED, {**A, "name": "b"}, REFUSED),
    ("workspace of another version", MEMBERS, LINKED, {**A, "version": "2.0.0"}, ACCEPTED),
    ("workspace not there", {"workspaces": ["packages/a"]}, LINKED, None, ACCEPTED),
    ("workspace removed", {}, LINKED, {**A, **wants(ms="1")}, ACCEPTED),
    ("workspace wanted by range", {**MEMBERS, **wants(a="^1")}, LINKED, A, ACCEPTED),
    ("workspace wanted out of range", {**MEMBERS, **wants(ms="^2")}, LINKED_AS_MS,
     {**A, "name": "ms"}, ACCEPTED),
    ("workspace is no link", MEMBERS, locked(a={"version": "1.0.0"}), A, NPM_ALONE),
    # Folders, tarballs, repositories, tags, aliases
    ("folder in step", FOLDER, LINKED, A, ACCEPTED),
    ("folder missing", FOLDER, {}, A, REFUSED),
    ("folder's missing", FOLDER, LINKED, {**A, **wants(ms="2")}, REFUSED),
    ("folder's dev missing", FOLDER, LINKED, {**A, **DEV_2}, REFUSED),
    ("folder's optional missing", FOLDER, LINKED, {**A, **OPTIONAL_2}, REFUSED),
    ("folder's peer missing", FOLDER, LINKED, {**A, **PEER_2}, REFUSED),
    ("folder's out of range", FOLDER, {**LINKED, **locked(ms=MS)}, {**A, **wants(ms="1")}, REFUSED),
    ("folder's peer out of range", FOLDER, {**LINKED, **locked(ms=MS)}, {**A, **PEER_1}, REFUSED),
    ("folder not there", FOLDER, LINKED, None, ACCEPTED),
    ("folder not there, its missing", FOLDER, {**LINKED, "packages/a": {**A, **wants(ms="2")}},
     None, NPM_ALONE),
    ("folder not there, its dev missing", FOLDER, {**LINKED, "packages/a": {**A, **DEV_2}}, None,
     NPM_ALONE),
    ("folder to range", wants(ms="^2"), LINKED_AS_MS, {**A, "name": "ms"}, REFUSED),
    ("range to folder", FOLDER, locked(a={"version": "1.0.0"}), A, NPM_ALONE),
    ("another folder", wants(a="file:packages/b"), LINKED, A, NPM_ALONE),
    ("link:", wants(a="link:packages/a"), LINKED, A, NPM_ALONE),
    ("git missing", wants(ms="github:vercel/ms"), {}, None, REFUSED),
    ("range to git", wants(ms="github:vercel/ms"), locked(ms=MS), None, NPM_ALONE),
    ("tarball in step", wants(ms=TARBALL.format("2.1.3")),
     locked(ms={**MS, "resolved": TARBALL.format("2.1.3")}), None, ACCEPTED),
    ("tarball missing", wants(ms=TARBALL.format("2.1.3")), {}, None, REFUSED),
    ("tarball to range", wants(ms="^2"), locked(ms={**MS, "resolved": TARBALL.format("2.1.3")}),
     None, ACCEPTED),
    ("range to tarball", wants(ms=TARBALL.format("2.1.2")), locked(ms=MS), None, NPM_ALONE),
    ("tag", wants(ms="latest"), locked(ms=MS), None, ACCEPTED),
    ("tag, resolved to what it was", wants(ms="latest"),
     locked(ms={**MS_1, "resolved": TARBALL.format("1.0.0")}), None, ACCEPTED),
    ("tag, and another version", wants(ms="latest"), locked(ms=MS_1), None, NPM_ALONE),
    ("tag missing", wants(ms="latest"), {}, None, REFUSED),
    ("alias in step", wants(pad="npm:left-pad@~1.3.0"), locked(pad=PAD), None, ACCEPTED),
    ("alias out of range", wants(pad="npm:left-pad@1.2.0"), locked(pad=PAD), None, REFUSED),
    ("alias without a range", wants(pad="npm:left-pad"), locked(pad=PAD), None, ACCEPTED),
    ("alias of another name", wants(pad="npm:ms@>=1"), locked(pad=PAD), None, ACCEPTED),
    ("alias missing", wants(pad="npm:left-pad@1"), {}, None, REFUSED),
]  # fmt: skip

FORMATS: list[tuple[str, Json, Json, Verdict]] = [
    # What it is, package.json, the lock file, npm's verdict.
    ("2", wants(ms="2"), {"lockfileVersion": 2, "packages": locked(ms=MS)}, ACCEPTED),
    ("2 missing", wants(ms="2"), {"lockfileVersion": 2, "packages": {}, "dependencies": {"ms": MS}},
     REFUSED),
    ("1", wants(ms="2"), {"lockfileVersion": 1, "dependencies": {"ms": MS}}, ACCEPTED),
    ("1 missing", wants(ms="2"), {"lockfileVersion": 1, "dependencies": {}}, REFUSED),
    ("1 out of range", wants(ms="1"), {"lockfileVersion": 1, "dependencies": {"ms": MS}}, REFUSED),
    ("1 no longer wanted", {}, {"lockfileVersion": 1, "dependencies": {"ms": MS}}, ACCEPTED),
    ("1 dev missing", DEV_2, {"lockfileVersion": 1, "dependencies": {}}, REFUSED),
    ("1 dev out of range", DEV_1, {"lockfileVersion": 1, "dependencies": {"ms": MS}}, REFUSED),
    ("1 optional missing", OPTIONAL_2, {"lockfileVersion": 1, "dependencies": {}}, REFUSED),
    ("1 optional out of range", OPTIONAL_1, {"lockfileVersion": 1, "dependencies": {"ms": MS}},
     REFUSED),
    ("1 peer missing", PEER_2, {"lockfileVersion": 1, "dependencies": {}}, NPM_ALONE),
    ("1 theirs missing", wants(debug="4"),
     {"lockfileVersion": 1,
      "dependencies": {"debug": {"version": "4.4.3", "requires": {"ms": "^2.1.3"}}}}, NPM_ALONE),
    ("1 alias", wants(pad="npm:left-pad@1"),
     {"lockfileVersion": 1, "dependencies": {"pad": {"version": "npm:left-pad@1.3.0"}}}, NPM_ALONE),
    ("none", wants(ms="2"), {"packages": {}}, NPM_ALONE),
    ("4", wants(ms="2"), {"lockfileVersion": 4, "packages": {}}, NPM_ALONE),
    ("a version is gone", wants(ms="1"), {"lockfileVersion": 3, "packages": locked(ms={})},
     NPM_ALONE),
]  # fmt: skip


def texts(package: Json, lock: Json, member: Json | None = None) -> dict[str, str]:
    files = {
        "package.json": {"name": "app", "version": "1.0.0", **package},
        "package-lock.json": {"name": "app", "version": "1.0.0", "requires": True, **lock},
        "packages/a/package.json": member,
    }
    return {path: json.dumps(content) for path, content in files.items() if content is not None}


def version_3(packages: Json) -> Json:
    return {"lockfileVersion": 3, "packages": packages}


def stale(files: dict[str, str], dockerfile: str = DOCKERFILE) -> list[StaleLock]:
    return find_stale_locks(files.keys(), files.get, dockerfile)


OUT_OF_STEP = texts(wants(ms="^1.0.0", once="1"), version_3(locked(ms=MS)))
SAID = (
    "ms: package.json wants ^1.0.0, package-lock.json has 2.1.3",
    "once: package.json wants 1, package-lock.json has none",
)


def moved(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {folder + path: text for path, text in files.items()}


@pytest.mark.parametrize(
    ("package", "packages", "member", "verdict"),
    [row[1:] for row in PROJECTS],
    ids=[row[0] for row in PROJECTS],
)
def test_what_npm_ci_refuses_is_refused(
    package: Json, packages: Json, member: Json | None, verdict: Verdict
) -> None:
    found = stale(texts(package, version_3(packages), member))
    assert bool(found) is (verdict is REFUSED), found


@pytest.mark.parametrize(
    ("package", "lock", "verdict"), [row[1:] for row in FORMATS], ids=[row[0] for row in FORMATS]
)
def test_every_version_of_the_format_is_read(package: Json, lock: Json, verdict: Verdict) -> None:
    assert bool(stale(texts(package, lock))) is (verdict is REFUSED)


def test_each_difference_is_named_with_its_place() -> None:
    packages = {**LINKED, **locked(ms=MS_1, debug=DEBUG)}
    package = {**MEMBERS, **wants(debug="4", gone="")}
    (found,) = stale(texts(package, version_3(packages), {**A, **wants(ms="2")}))
    assert found.differences == (
        "gone: package.json wants *, package-lock.json has none",
        "ms: node_modules/debug wants ^2.1.3, package-lock.json has 1.0.0",
        "ms: packages/a/package.json wants 2, package-lock.json has 1.0.0",
    )
    assert (found.lock, found.source) == ("package-lock.json", "package.json")
    assert found.cure == "`npm install --package-lock-only`"


@pytest.mark.parametrize(
    "run",
    [
        "RUN npm ci",
        "RUN npm ci --omit=dev --ignore-scripts",
        "RUN --mount=type=cache,target=/root/.npm npm --no-audit ci && npm run build",
        'RUN ["npm", "ci"]',
        "RUN if [ -f package-lock.json ]; then npm ci; else npm install; fi",
        "RUN npm clean-install",
        "RUN apt-get update \\\n    && npm ci",
    ],
)
def test_a_build_with_npm_ci_is_looked_at(run: str) -> None:
    (found,) = stale(OUT_OF_STEP, f"FROM node\n{run}")
    assert found.differences == SAID


@pytest.mark.parametrize(
    "run",
    [
        "RUN npm install",
        "RUN pnpm ci",
        "RUN npm run ci",
        "RUN npm install ci-info",
        "# RUN npm ci",
        "RUN npm ci || npm install",
        "RUN npm install && make ci",
        "COPY ci/ /ci",
        "RUN yarn install --frozen-lockfile",
    ],
)
def test_a_build_without_npm_ci_refuses_nothing(run: str) -> None:
    assert stale(OUT_OF_STEP, f"FROM node\n{run}\n") == []


@pytest.mark.parametrize(
    ("copied", "is_looked_at"),
    [
        ("COPY web/package*.json ./", True),
        ("COPY . .\nWORKDIR /app/web", True),
        ("COPY . .\nRUN cd web", True),
        ("COPY web2 .\nCOPY my-web .", False),
        ("COPY . .", False),
    ],
)
def test_a_folder_counts_if_the_dockerfile_names_it(copied: str, *, is_looked_at: bool) -> None:
    found = stale(moved("web/", OUT_OF_STEP), f"FROM node\n{copied}\nRUN npm ci\n")
    assert bool(found) is is_looked_at
    for each in found:
        assert each.lock == "web/package-lock.json"
        assert each.differences[1] == "once: web/package.json wants 1, package-lock.json has none"
        assert each.cure == "`npm install --package-lock-only` in web/"


def test_a_workspaces_own_lock_file_is_ignored_as_npm_does() -> None:
    project = texts(MEMBERS, version_3({**LINKED, **locked(ms=MS)}), {**A, **wants(ms="2")})
    own = {"packages/a/package-lock.json": json.dumps({"lockfileVersion": 3, "packages": {}})}
    assert stale(project | own, DOCKERFILE + "RUN cd packages/a && npm run build\n") == []


def test_a_shrinkwrap_counts_in_place_of_the_lock_file() -> None:
    in_step = json.dumps(version_3(locked(ms=MS_1, once={"version": "1.4.0"})))
    empty = json.dumps(version_3({}))
    assert stale({**OUT_OF_STEP, "npm-shrinkwrap.json": in_step}) == []
    (found,) = stale({**OUT_OF_STEP, "npm-shrinkwrap.json": empty})
    assert found.lock == "npm-shrinkwrap.json"


@pytest.mark.parametrize(
    ("npmrc", "run", "is_refused"),
    [
        ("", "npm ci", True),
        ("# legacy-peer-deps=true\nlegacy-peer-deps = false\n", "npm ci", True),
        ("audit=false\nlegacy-peer-deps=true\n", "npm ci", False),
        ("", "npm ci --legacy-peer-deps", False),
        ("", "npm ci --force", False),
        ("", "NPM_CONFIG_LEGACY_PEER_DEPS=true npm ci", False),
    ],
)
def test_peers_do_not_count_where_npm_leaves_them_out(
    npmrc: str, run: str, *, is_refused: bool
) -> None:
    files = {**texts(PEER_2, version_3({})), ".npmrc": npmrc}
    assert bool(stale(files, f"FROM node\nRUN {run}\n")) is is_refused


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
@pytest.mark.parametrize(
    "text",
    ["", "{", "<<<<<<< HEAD\n", "[]", "null", "\0", "{}", '{"dependencies": []}',
     '{"lockfileVersion": 3, "packages": {"": null, "node_modules/ms": 1}, "dependencies": 1}'],
)  # fmt: skip
def test_what_cannot_be_read_is_left_to_npm(name: str, text: str) -> None:
    in_step = texts(wants(ms="2"), version_3(locked(ms=MS)))
    assert stale({**in_step, name: text}) == []


def test_a_byte_order_mark_is_no_obstacle() -> None:
    (found,) = stale({path: f"\ufeff{text}" for path, text in OUT_OF_STEP.items()})
    assert found.differences == SAID


@pytest.mark.parametrize("folder", ["node_modules/x/", "web/node_modules/y/"])
def test_lock_files_of_others_are_left_alone(folder: str) -> None:
    assert stale(moved(folder, OUT_OF_STEP), DOCKERFILE + f"COPY {folder} .\n") == []


def test_a_lock_file_without_a_package_json_is_left_to_npm() -> None:
    assert stale({"package-lock.json": OUT_OF_STEP["package-lock.json"]}) == []


def test_a_package_json_that_is_not_sent_counts_all_the_same() -> None:
    assert find_stale_locks({"package-lock.json"}, OUT_OF_STEP.get, DOCKERFILE)


def test_a_refusal_names_every_difference_and_every_cure() -> None:
    found = stale(OUT_OF_STEP | moved("web/", OUT_OF_STEP), DOCKERFILE + "COPY web .\n")
    with pytest.raises(SchoolctlError) as raised:
        refuse_stale_locks(found)
    assert raised.value.what == "nothing was built: 2 lock files are out of step with package.json"
    assert raised.value.why.splitlines() == [
        "`npm ci` would refuse package-lock.json:",
        *(f"  {each}" for each in SAID),
        "`npm ci` would refuse web/package-lock.json:",
        *(f"  {each}".replace(" package.json", " web/package.json") for each in SAID),
    ]
    assert "`npm install --package-lock-only` in web/" in raised.value.hint
    assert "--allow-stale-lock" in raised.value.hint
    refuse_stale_locks([])


def test_a_long_list_is_cut() -> None:
    many = {f"p{number}": "1" for number in range(12)}
    with pytest.raises(SchoolctlError) as raised:
        refuse_stale_locks(stale(texts({"dependencies": many}, version_3({}))))
    assert raised.value.what == "nothing was built: a lock file is out of step with package.json"
    assert raised.value.why.splitlines()[-1] == "  and 2 more"


@pytest.mark.parametrize(
    ("wanted", "fitting", "others"),
    [
        ("^0.0.3", ("0.0.3",), ("0.0.2", "0.0.4", "0.0.3-beta")),
        ("~1.2", ("1.2.0", "1.2.9"), ("1.3.0", "1.2.3-rc.1")),
        ("1.x || >=2.5.0 || 5.0.0 - 7.2.3", ("1.9.9", "2.5.0", "7.2.4"), ("0.9.9", "2.4.0")),
        (">=1.2.3-beta.2 <2", ("1.2.3-beta.10", "1.2.3"), ("1.2.3-beta.1", "1.2.4-beta.3")),
        ("= v1.2.3", ("1.2.3", "1.2.3+build"), ("1.2.4",)),
        (">=  1.2.3   <  2.0.0", ("1.2.3",), ("2.0.0", "2.0.0-rc.1")),
    ],
)  # fmt: skip
def test_a_range_is_npms(wanted: str, fitting: tuple[str, ...], others: tuple[str, ...]) -> None:
    def is_refused(version: str) -> bool:
        return bool(stale(texts(wants(ms=wanted), version_3(locked(ms={"version": version})))))

    assert [is_refused(each) for each in fitting] == [False] * len(fitting)
    assert [is_refused(each) for each in others] == [True] * len(others)
