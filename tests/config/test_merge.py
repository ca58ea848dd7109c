"""The merge rules, as cases and as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.config.merge import apply_overrides, deep_merge

KEYS = st.sampled_from(["a", "b", "c", "name"])
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(["x", "y", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=4)


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        pytest.param(
            {"task": {"cpu": 256, "port": 3000}},
            {"task": {"cpu": 512}},
            {"task": {"cpu": 512, "port": 3000}},
            id="mappings are merged deep",
        ),
        pytest.param(
            {"protect": ["a", "b"]}, {"protect": ["c"]}, {"protect": ["c"]}, id="lists replace"
        ),
        pytest.param(
            {"containers": [{"name": "web", "cpu": 1, "env": {"A": 1}}, {"name": "log"}]},
            {"containers": [{"name": "new"}, {"name": "web", "env": {"B": 2}}]},
            {
                "containers": [
                    {"name": "web", "cpu": 1, "env": {"A": 1, "B": 2}},
                    {"name": "log"},
                    {"name": "new"},
                ]
            },
            id="lists of named things are merged by name",
        ),
        pytest.param(
            {"list": [{"name": "a"}, {"id": 1}]},
            {"list": [{"name": "a"}]},
            {"list": [{"name": "a"}]},
            id="a list with one nameless thing replaces",
        ),
        pytest.param(
            {"list": [{"name": "a", "x": 1}, {"name": "a", "x": 2}]},
            {"list": [{"name": "a", "x": 3}]},
            {"list": [{"name": "a", "x": 3}]},
            id="a list with a name twice is replaced",
        ),
        pytest.param(
            {"list": [{"name": "a"}]}, {"list": []}, {"list": []}, id="an empty list empties"
        ),
        pytest.param({"a": {"b": 1}}, {"a": None}, {"a": None}, id="null stands"),
        pytest.param({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="a value over null"),
        pytest.param({"a": {"b": 1}}, {"a": "x"}, {"a": "x"}, id="a scalar over a mapping"),
    ],
)
def test_values_are_merged(
    below: dict[str, object], above: dict[str, object], merged: dict[str, object]
) -> None:
    assert deep_merge(below, above) == merged


def test_overrides_put_aws_keys_over_a_request_and_null_removes_them() -> None:
    request = {
        "family": "web",
        "containerDefinitions": [
            {"name": "web", "image": "i", "logConfiguration": {"logDriver": "awslogs"}}
        ],
    }
    overrides: dict[str, object] = {
        "containerDefinitions": [
            {"name": "web", "logConfiguration": None, "user": "10001"},
            {"name": "sidecar", "image": "s", "cpu": None},
        ],
        "pidMode": "task",
    }
    assert apply_overrides(request, overrides) == {
        "family": "web",
        "containerDefinitions": [
            {"name": "web", "image": "i", "user": "10001"},
            {"name": "sidecar", "image": "s"},
        ],
        "pidMode": "task",
    }


def test_an_item_of_a_list_goes_when_nulls_leave_nothing_but_its_name() -> None:
    generated = {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    overrides = {"environment": [{"name": "A", "value": None}]}
    assert apply_overrides(generated, overrides) == {"environment": [{"name": "B", "value": "2"}]}


def test_an_item_that_never_had_more_than_its_name_stays() -> None:
    assert apply_overrides({}, {"volumes": [{"name": "scratch"}]}) == {
        "volumes": [{"name": "scratch"}]
    }


def test_a_value_that_yaml_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be a set"):
        deep_merge({}, {"a": {1, 2}})


@given(MAPPINGS)
def test_nothing_over_a_mapping_changes_nothing(value: dict[str, object]) -> None:
    assert deep_merge(value, {}) == value


@given(MAPPINGS)
def test_a_mapping_over_nothing_is_itself(value: dict[str, object]) -> None:
    assert deep_merge({}, value) == value


@given(MAPPINGS)
def test_a_mapping_over_itself_is_itself(value: dict[str, object]) -> None:
    assert deep_merge(value, value) == value


@given(MAPPINGS, MAPPINGS)
def test_every_scalar_of_the_upper_layer_wins(
    below: dict[str, object], above: dict[str, object]
) -> None:
    merged = deep_merge(below, above)
    for path, value in _scalars(above, ()):
        node: object = merged
        for step in path:
            assert isinstance(node, dict)
            node = node[step]
        assert node == value


@given(MAPPINGS, MAPPINGS)
def test_the_keys_of_both_layers_are_there(
    below: dict[str, object], above: dict[str, object]
) -> None:
    assert set(deep_merge(below, above)) == set(below) | set(above)


@given(MAPPINGS, MAPPINGS)
def test_merging_twice_is_merging_once(below: dict[str, object], above: dict[str, object]) -> None:
    once = deep_merge(below, above)
    assert deep_merge(once, above) == once


def _scalars(value: object, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        return [found for key, child in value.items() for found in _scalars(child, (*path, key))]
    return [] if isinstance(value, list) else [(path, value)]
