"""Lock files against what they were made from: what is out of step is named, nothing else is.

The files under `locks/` are the tools' own; a test changes a line of the source.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schoolctl.errors import SchoolctlError
from schoolctl.plan.lock_files import StaleLock, find_stale_locks, refuse_stale_locks
from schoolctl.plan.lock_files.npm_ranges import satisfies

LOCKS = Path(__file__).parent / "locks"
SOURCES = {
    "npm": "package.json",
    "pip-tools": "requirements.in",
    "uv": "pyproject.toml",
    "poetry": "pyproject.toml",
}
Texts = dict[str, str]


def project(kind: str, folder: str = "") -> Texts:
    """Give the files of a project in step, by path."""
    root = LOCKS / kind
    return {
        folder + path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


def stale(texts: Texts, *left_out: str) -> list[StaleLock]:
    return find_stale_locks(texts.keys() - set(left_out), texts.get)


def differences(texts: Texts) -> list[str]:
    return [line for each in stale(texts) for line in each.differences]


def changed(kind: str, before: str, after: str) -> Texts:
    texts = project(kind)
    source = SOURCES[kind]
    assert before in texts[source]
    return {**texts, source: texts[source].replace(before, after)}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("folder", ["", "backend/", "a/b/"])
def test_what_the_tools_wrote_is_in_step(kind: str, folder: str) -> None:
    assert stale(project(kind, folder)) == []


@pytest.mark.parametrize(
    ("kind", "before", "after", "said"),
    [
        (
            "npm",
            '"left-pad":"^1.3.0"',
            '"left-pad":"^1.3.0","once2":"^1.0.0"',
            "once2: package.json wants ^1.0.0, package-lock.json has none",
        ),
        (
            "npm",
            '"left-pad":"^1.3.0"',
            '"left-pad":"^2.0.0"',
            "left-pad: package.json wants ^2.0.0, package-lock.json has 1.3.0",
        ),
        (
            "npm",
            '"left-pad":"^1.3.0",',
            "",
            "left-pad: in package-lock.json, no longer in package.json",
        ),
        (
            "npm",
            "isarray@~2.0.0",
            "isarray@^1.0.0",
            "isarray: package.json wants npm:isarray@^1.0.0, package-lock.json has 2.0.5",
        ),
        (
            "pip-tools",
            "flask>=3\n",
            "flask>=3\nredis\n",
            "redis: requirements.in wants any version, requirements.txt has none",
        ),
        (
            "pip-tools",
            "flask>=3\n",
            "flask>=4\n",
            "flask: requirements.in wants >=4, requirements.txt has 3.1.3",
        ),
        (
            "pip-tools",
            "urllib3[socks]~=2.0\n",
            "",
            "urllib3: in requirements.txt, no longer in requirements.in",
        ),
        ("uv", '"flask >=3, <4", ', '"flask >=3, <4", "redis", ',
         "redis: in pyproject.toml, not in uv.lock"),
        ("uv", "flask >=3, <4", "flask >=3.1, <4",
         "flask: pyproject.toml wants <4,>=3.1, uv.lock is for >=3,<4"),
        ("uv", '"flask >=3, <4", ', "", "flask: in uv.lock, no longer in pyproject.toml"),
        ("uv", '["idna<4"]', '["idna<4", "redis"]', "redis: in pyproject.toml, not in uv.lock"),
        ("uv", '["pluggy>1"]', '["pluggy>1", "redis"]', "redis: in pyproject.toml, not in uv.lock"),
        (
            "poetry",
            'six = "*"',
            'six = "*"\nredis = "^5"',
            "redis: pyproject.toml wants ^5, poetry.lock has none",
        ),
        (
            "poetry",
            'flask = "^3.0"',
            'flask = "^4.0"',
            "flask: pyproject.toml wants ^4.0, poetry.lock has 3.1.3",
        ),
        (
            "poetry",
            'iniconfig = ">=2,<3"',
            'iniconfig = ">=3"',
            "iniconfig: pyproject.toml wants >=3, poetry.lock has 2.3.0",
        ),
        (
            "poetry",
            'six = "*"\n',
            "",
            "pyproject.toml is not the one that poetry.lock has the hash of",
        ),
    ],
)  # fmt: skip
def test_a_difference_is_named_with_its_side(kind: str, before: str, after: str, said: str) -> None:
    assert differences(changed(kind, before, after)) == [said]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        # Still satisfied by what is locked: `npm ci` and pip take it.
        ("npm", "^1.3.0", "^1.2.0 || ^9"),
        ("npm", '"left-pad":"^1.3.0"', '"left-pad":">=1.0.0-beta.2"'),
        # Nothing that a version could be compared with.
        ("npm", "^1.3.0", "next"),
        ("npm", "^1.3.0", "git+ssh://git@example.test/left-pad.git#semver:^9"),
        ("npm", "^1.3.0", "https://example.test/left-pad.tgz"),
        ("npm", "^1.3.0", "someone/left-pad"),
        ("npm", "^1.3.0", "file:../left-pad"),
        ("npm", "^1.3.0", "1.4.0-rc.1"),
        # A platform of its own may have been left out (npm/cli#4828).
        ("npm", '"fsevents":"^2.3.0"', '"fsevents":"^2.3.0","@x/linux-x64":"1.0.0"'),
        ("npm", '"peerDependencies":{', '"peerDependencies":{"react":">=1",'),
        ("npm", '"version":"1.0.0"', '"version":"2.0.0","overrides":{"left-pad":"1.3.0"}'),
        ("pip-tools", "flask>=3", "Flask[async]>=3.0,!=3.0.1"),
        ("pip-tools", "flask>=3", "flask>=3\nredis; sys_platform == 'win32'"),
        ("pip-tools", "flask>=3", "flask @ git+https://example.test/flask@main"),
        ("pip-tools", "flask>=3", "flask\n-e .\ngit+https://example.test/x#egg=x\n./vendored"),
        ("pip-tools", "flask>=3", "--index-url https://example.test/\n-c limits.txt\nflask"),
        ("pip-tools", "flask>=3", "# a note\nflask>=3  # another\nsetuptools"),
        ("pip-tools", "flask>=3", "-r elsewhere.in\nflask"),
        ("uv", '"flask >=3, <4"', '"Flask<4,>=3"'),
        ("uv", 'name = "My_App"', 'name = "another"'),
        ("uv", "[project]\n", '[project]\ndynamic = ["optional-dependencies"]\n'),
        ("uv", '{include-group="lint"}', '{include-group="lint"}, "redis"'),
        ("uv", 'version = "0.1"', 'version = "0.2"'),
        ("poetry", 'description = ""', 'description = "new"'),
    ],
)
def test_what_agrees_or_cannot_be_judged_passes(kind: str, before: str, after: str) -> None:
    assert differences(changed(kind, before, after)) == []


def test_a_workspace_is_compared_with_its_own_part_of_the_lock_file() -> None:
    texts = project("npm", "web/")
    texts["web/packages/a/package.json"] = json.dumps(
        {"name": "@x/a", "dependencies": {"ms": "^2.0.0", "wrappy": "1", "nope": "1"}}
    )
    assert differences(texts) == [
        "ms: web/packages/a/package.json wants ^2.0.0, package-lock.json has 1.0.0",
        "nope: web/packages/a/package.json wants 1, package-lock.json has none",
    ]


def test_a_new_workspace_is_named() -> None:
    texts = project("npm") | {"packages/b/package.json": "{}", "packages/b/c/package.json": "{}"}
    assert differences(texts) == ["packages/b: a workspace that package-lock.json does not have"]


def test_a_lock_file_of_npm_6_is_compared_by_its_versions() -> None:
    lock = {"lockfileVersion": 1, "dependencies": {"ms": {"version": "2.1.3"}}}
    package = {"dependencies": {"ms": "^1.0.0", "left-pad": "1"}}
    texts = {"package.json": json.dumps(package), "package-lock.json": json.dumps(lock)}
    assert differences(texts) == [
        "ms: package.json wants ^1.0.0, package-lock.json has 2.1.3",
        "left-pad: package.json wants 1, package-lock.json has none",
    ]


def test_a_shrinkwrap_counts_in_place_of_the_lock_file() -> None:
    texts = changed("npm", "^1.3.0", "^2.0.0")
    texts["npm-shrinkwrap.json"] = texts["package-lock.json"]
    assert [each.lock for each in stale(texts)] == ["npm-shrinkwrap.json"]


def test_a_requirements_file_includes_others() -> None:
    texts = project("pip-tools", "deps/")
    texts["deps/base.in"] = texts["deps/requirements.in"]
    texts["deps/requirements.in"] = "-r base.in\nredis>=5\n"
    assert differences(texts) == [
        "redis: deps/requirements.in wants >=5, deps/requirements.txt has none",
        # What came for the file itself comes for the one it includes now: that is no difference.
    ]


@pytest.mark.parametrize(
    "header", ["uv pip compile requirements.in -o requirements.txt", "make lock"]
)
def test_the_cure_is_the_command_that_the_lock_file_names(header: str) -> None:
    texts = changed("pip-tools", "flask>=3\n", "flask>=4\n")
    texts["requirements.txt"] = (
        "# This file was autogenerated by uv via the following command:\n"
        f"#    {header}\nflask==3.1.3 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "idna==3\nurllib3==2.8.0\n"
    )
    (found,) = stale(texts)
    assert found.cure == f"`{header}`"


def test_the_cure_says_where_it_is_run() -> None:
    texts = project("npm", "backend/")
    texts["backend/package.json"] = '{"dependencies": {"koa": "2"}}'
    (found,) = stale(texts)
    assert found.cure == "`npm install --package-lock-only` in backend/"


def test_a_source_that_is_not_sent_is_compared_all_the_same() -> None:
    texts = changed("pip-tools", "flask>=3", "flask>=4")
    assert [each.lock for each in stale(texts, "requirements.in")] == ["requirements.txt"]


@pytest.mark.parametrize(
    "path", ["package-lock.json", "requirements.txt", "uv.lock", "poetry.lock"]
)
@pytest.mark.parametrize("text", ["", "{", "<<<<<<< HEAD\n", "[]", "null", "\0", "a = 1\n", "{}"])
def test_a_lock_file_that_cannot_be_read_passes(path: str, text: str) -> None:
    sources = {"package.json": "{}", "requirements.in": "", "pyproject.toml": ""}
    assert stale({**sources, path: text}) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [("npm", ""), ("npm", "{"), ("npm", "[1]"), ("uv", "[project\n"), ("poetry", "[project\n")],
)
def test_a_source_that_cannot_be_read_passes(kind: str, text: str) -> None:
    assert stale({**project(kind), SOURCES[kind]: text}) == []


@pytest.mark.parametrize("folder", ["node_modules/x/", ".venv/lib/", "a/node_modules/y/"])
def test_lock_files_of_others_are_left_alone(folder: str) -> None:
    texts = {folder + path: text for path, text in changed("npm", "^1.3.0", "^2.0.0").items()}
    assert stale(texts) == []


def test_a_lock_file_without_a_source_passes() -> None:
    for kind, source in SOURCES.items():
        texts = project(kind)
        del texts[source]
        assert stale(texts) == []


def test_a_refusal_names_every_difference_and_every_cure() -> None:
    texts = changed("npm", "^1.3.0", "^2.0.0") | changed("pip-tools", "flask>=3\n", "flask>=4\n")
    with pytest.raises(SchoolctlError) as raised:
        refuse_stale_locks(stale(texts))
    assert raised.value.what == "nothing was built: 2 lock files are out of step"
    assert raised.value.why.splitlines() == [
        "package-lock.json is out of step with package.json:",
        "  left-pad: package.json wants ^2.0.0, package-lock.json has 1.3.0",
        "requirements.txt is out of step with requirements.in:",
        "  flask: requirements.in wants >=4, requirements.txt has 3.1.3",
    ]
    assert "npm install --package-lock-only" in raised.value.hint
    assert "pip-compile requirements.in" in raised.value.hint
    assert "--allow-stale-lock" in raised.value.hint


@pytest.mark.parametrize(
    ("wanted", "fitting", "others"),
    [
        ("^1.2.3", ("1.2.3", "1.9.0"), ("1.2.2", "2.0.0")),
        ("^0.2.3", ("0.2.3", "0.2.9"), ("0.2.2", "0.3.0")),
        ("^0.0.3", ("0.0.3",), ("0.0.4", "0.0.2")),
        ("^0.0", ("0.0.0", "0.0.9"), ("0.1.0",)),
        ("^0", ("0.0.1", "0.9.9"), ("1.0.0",)),
        ("^0.x", ("0.1.0",), ("1.0.0",)),
        ("^1.x", ("1.0.0", "1.9.9"), ("2.0.0", "0.9.9")),
        ("~1.2.3", ("1.2.3", "1.2.9"), ("1.3.0",)),
        ("~1.2", ("1.2.0",), ("1.3.0",)),
        ("~1", ("1.0.0", "1.9.9"), ("2.0.0",)),
        ("~> 1.2", ("1.2.5",), ("1.3.0",)),
        ("1.2.3", ("1.2.3",), ("1.2.4",)),
        ("=v1.2.3", ("1.2.3",), ("1.2.4",)),
        ("1", ("1.0.0", "1.5.0"), ("2.0.0",)),
        ("1.2.x", ("1.2.9",), ("1.3.0",)),
        ("", ("0.0.1", "9.9.9"), ()),
        ("*", ("0.0.1",), ()),
        (">=1.2 <2", ("1.2.0", "1.9.9"), ("2.0.0", "1.1.9")),
        (">= 1.2.3", ("1.2.3", "9.0.0"), ("1.2.2",)),
        (">1", ("2.0.0",), ("1.9.9",)),
        (">1.2.3", ("1.2.4",), ("1.2.3",)),
        ("<=1.2", ("1.2.9",), ("1.3.0",)),
        ("<2", ("1.9.9",), ("2.0.0",)),
        ("1.2 - 2.3", ("1.2.0", "2.3.9"), ("2.4.0", "1.1.0")),
        ("1.2.3 - 2.3.4", ("2.3.4",), ("2.3.5",)),
        ("^1 || ^3", ("1.5.0", "3.0.0"), ("2.0.0",)),
        (">*", (), ("1.0.0",)),
    ],
)
def test_a_range_is_npms(wanted: str, fitting: tuple[str, ...], others: tuple[str, ...]) -> None:
    assert [satisfies(each, wanted) for each in fitting] == [True] * len(fitting)
    assert [satisfies(each, wanted) for each in others] == [False] * len(others)


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("1.0.0-rc.1", "^1"), ("1.0.0", "latest"), ("1.0.0", "1.0.0-rc.1"), ("", "1"), ("1.0", "1")],
)
def test_what_a_range_cannot_tell_is_not_guessed(version: str, wanted: str) -> None:
    assert satisfies(version, wanted) is None
