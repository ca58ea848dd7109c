"""Whatever a file holds, the answer is a configuration or a list of problems, never a crash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schoolctl.config.file import parse_config
from schoolctl.config.models import Settings
from schoolctl.config.overlay import dump_yaml
from schoolctl.config.tree import InvalidConfigError
from tests.config.samples import FILE, SMALL

WORDS = st.sampled_from(
    [
        *Settings.model_fields,
        *("environments", "default_environment", "dev", "name", "env", "cpu", "port", "overrides"),
        *("{app}", "{environment}", "{x}", "default", "<tags>", "[key]", "arn:aws:x", "&a", "*a"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | st.floats(0, 2) | WORDS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner, max_size=4)
    ),
    max_leaves=15,
)


def _check(content: str | bytes) -> None:
    try:
        file = parse_config(content, path=FILE)
    except InvalidConfigError as error:
        problems = error.problems
    else:
        problems = ()
        for name in file.environment_names:
            assert file.resolve(name).origins
    assert all(problem.origin.line >= 1 for problem in problems)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(content: bytes) -> None:
    _check(content)


@given(st.text("abc:-[]{}&*!|>'\"%@`#,? \t\n0123.~_", max_size=80))
def test_any_text_is_answered(content: str) -> None:
    _check(content)


@given(st.dictionaries(WORDS, VALUES, max_size=6))
def test_any_values_are_answered(values: dict[str, object]) -> None:
    _check(dump_yaml(values))


@given(
    st.integers(0, len(SMALL)),
    st.integers(0, 12),
    st.text(":-[]{}&*!|'\"# \t\na0~", max_size=4),
)
def test_any_slip_of_the_keyboard_is_answered(start: int, removed: int, inserted: str) -> None:
    _check(SMALL[:start] + inserted + SMALL[start + removed :])
