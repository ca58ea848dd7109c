"""Docker's rules for what is left out of a build context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.errors import SchoolctlError
from schoolctl.docker.guard import DockerIgnore


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        ("", "a", False),
        ("# a\n\n  \n", "a", False),
        ("a", "a", True),
        ("a", "b/a", False),  # anchored at the root, unlike git's
        ("/a", "a", True),
        ("a/", "a", True),
        ("./a/../b", "b", True),
        ("a", "a/b/c", True),  # a folder takes what is in it along
        ("a/b", "a", False),
        ("*.py", "x.py", True),
        ("*.py", "d/x.py", False),
        ("**/*.py", "x.py", True),
        ("**/*.py", "d/e/x.py", True),
        ("**", "d/e", True),
        ("d/**", "d/e/f", True),
        ("d/**/f", "d/f", True),
        ("?.py", "x.py", True),
        ("?.py", "xy.py", False),
        ("[ab].py", "a.py", True),
        ("[^ab].py", "a.py", False),
        ("a+b(1).txt", "a+b(1).txt", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("*\n!app", "app/x", False),
        ("*\n!app", "other", True),
        ("*\n!app\napp/secret", "app/secret", True),
        ("!app\n*", "app", True),  # the last that matches decides
        ("*\r\n!app\r\n", "app", False),
        ("\ufeff*\n!app", "other", True),
        ("# a\n#", "#", False),
        (".", "a", False),
    ],
)
def test_path_is_judged_as_docker_does(patterns: str, path: str, left_out: bool) -> None:  # noqa: FBT001  # a table's column
    assert DockerIgnore(patterns).leaves_out(path) is left_out


def test_pattern_that_cannot_be_read_names_its_line() -> None:
    with pytest.raises(SchoolctlError, match=r"api\.dockerignore:2") as raised:
        DockerIgnore("a\n[", "api.dockerignore")
    assert "close every" in raised.value.hint


@pytest.mark.parametrize(
    ("patterns", "folder", "walked"),
    [
        ("*\n!app", "app", True),
        ("*\n!app", "node_modules", False),
        ("*\n!app/x/y", "app", True),
        ("*\n!app/x/y", "app/z", False),
        ("*\n!**/*.py", "anything/at/all", True),
        ("*\n!app/*.py", "app", True),
        ("*\n!app/*.py", "other", False),
    ],
)
def test_folder_is_walked_where_an_exception_may_reach(
    patterns: str,
    folder: str,
    walked: bool,  # noqa: FBT001  # a table's column
) -> None:
    assert DockerIgnore(patterns).may_take_back_in(folder) is walked


_PARTS = st.sampled_from(["a", "b", "app", "x.py", "*", "**", "?", "*.py"])
_PATTERNS = st.lists(
    st.builds(
        lambda back, parts: "!" * back + "/".join(parts),
        st.booleans(),
        st.lists(_PARTS, min_size=1, max_size=3),
    ),
    max_size=5,
)
_PATHS = st.lists(st.sampled_from(["a", "b", "app", "x.py", "z"]), min_size=2, max_size=4)


@given(_PATTERNS, _PATHS)
def test_a_folder_that_is_not_walked_holds_nothing_that_is_sent(
    patterns: list[str], parts: list[str]
) -> None:
    ignore = DockerIgnore("\n".join(patterns))
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        if ignore.leaves_out(folder) and not ignore.may_take_back_in(folder):
            assert ignore.leaves_out("/".join(parts))
