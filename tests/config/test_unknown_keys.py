"""An unknown key is refused, whatever it is and wherever it stands, and named with its path."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.config.file import parse_config
from schoolctl.config.messages import REMOVED, field_names, sibling_keys
from schoolctl.config.models import Settings
from schoolctl.config.overlay import dump_yaml
from schoolctl.config.reader import read_document
from schoolctl.config.tree import InvalidConfigError, Layer, dotted, to_plain
from tests.config.samples import FILE, resolve, small

if TYPE_CHECKING:
    from collections.abc import Iterator

Where = tuple[str, ...]

SHIPPED = Path(__file__).parents[2] / "schoolctl.yaml"
SECTIONS: tuple[Where, ...] = (
    (),
    ("image",),
    ("parameters", "db_host"),
    ("secrets", "db_password"),
    ("task",),
    ("service",),
    ("service", "deployment"),
    ("network",),
    ("images",),
    ("infra",),
    ("infra", "database"),
    ("infra", "ci_role"),
    ("git",),
)
PLACES = (*SECTIONS, *(("environments", "prod", *section) for section in SECTIONS))
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.from_regex(
    r"[a-z_]{1,20}", fullmatch=True
)
VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers(0, 9) | st.just({}) | st.just([])
)


def _shipped() -> dict[str, Any]:
    root = read_document(SHIPPED.read_bytes(), file=SHIPPED, layer=Layer.BASE).root
    assert root is not None
    plain = to_plain(root)
    assert isinstance(plain, dict)
    return plain


PLAIN = _shipped()


def _known(place: Where) -> set[str]:
    in_environment = place[:1] == ("environments",)
    inner = place[2:] if in_environment else place
    removed = {path[-1] for path in REMOVED if path[:-1] == inner}
    return {*sibling_keys(inner, file_level=not in_environment), *removed}


@given(st.sampled_from(PLACES), KEYS, VALUES)
def test_an_unknown_key_is_always_refused_with_its_path(
    place: Where, key: str, value: object
) -> None:
    if key in _known(place):
        return
    plain = deepcopy(PLAIN)
    section = plain
    for step in place:
        section = section.setdefault(step, {})
    section[key] = value
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(dump_yaml(plain), path=FILE)
    messages = {problem.path: problem.message for problem in caught.value.problems}
    assert messages[dotted((*place, key))].startswith("unknown key")


@given(st.sampled_from(["task", "service"]), KEYS, VALUES)
def test_below_overrides_every_key_is_known(section: str, key: str, value: object) -> None:
    text = dump_yaml({key: value}).replace("\n", "\n    ")
    config = resolve(small(**{section: f"overrides:\n    {text}"})).config
    assert getattr(config, section).overrides == {key: value}


def test_the_places_above_are_all_there_are() -> None:
    assert set(_sections(Settings, ())) == {
        *(section for section in SECTIONS if section[:1] not in {("parameters",), ("secrets",)}),
        ("credentials",),
        # A name in the shipped file; a mapping for a new VPC.
        ("infra", "vpc"),
    }


def _sections(model: Any, path: Where) -> Iterator[Where]:
    yield path
    for name in field_names(model):
        inner = (*path, name)
        if sibling_keys(inner, file_level=False):
            yield inner
            for deeper in sibling_keys(inner, file_level=False):
                if sibling_keys((*inner, deeper), file_level=False):
                    yield (*inner, deeper)
