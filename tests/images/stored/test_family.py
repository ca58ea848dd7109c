"""Which images a list shows, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schoolctl.images.stored.family import Selection, Sort, Use, UsesOf, family_of, select
from tests.worlds.image_scenes import NOW, digest, image

IMAGES = [
    replace(image("a", "1.10", days=1), size_bytes=20),
    replace(image("b", "1.9", "beta", days=2), size_bytes=30, pulled_at=NOW - timedelta(days=9)),
    replace(image("c", days=3), size_bytes=10),
    replace(image("d", "1.2", days=4), size_bytes=30, pulled_at=NOW - timedelta(days=8)),
]


def shown(selection: Selection, uses: UsesOf | None = None) -> str:
    names = {digest(name): name for name in "abcd"}
    return "".join(names[each.digest] for each in select(IMAGES, selection, uses))


@pytest.mark.parametrize(
    ("sort", "order"),
    [(Sort.PUSHED, "abcd"), (Sort.SIZE, "bdac"), (Sort.TAG, "dbac"), (Sort.PULLED, "dbac")],
)
def test_a_list_is_sorted_and_among_equals_the_newest_is_first(sort: Sort, order: str) -> None:
    assert shown(Selection(sort=sort)) == order


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (Selection(tags=("1.1*",)), "a"),
        (Selection(tags=("bet?", "1.2")), "bd"),
        (Selection(untagged=True), "c"),
        (Selection(limit=2), "ab"),
        (Selection(limit=1, sort=Sort.TAG), "d"),
        (Selection(tags=("none",)), ""),
    ],
)
def test_a_list_is_filtered_and_then_cut(selection: Selection, left: str) -> None:
    assert shown(selection) == left


def test_what_nothing_uses_is_found_by_digest_and_by_tag() -> None:
    uses = UsesOf(
        [Use("task 1", "", digest=digest("a")), Use("web:1", "", tag="beta")], family_of(IMAGES)
    )
    assert shown(Selection(unused=True), uses) == "cd"


def test_the_uses_of_an_index_are_those_of_all_its_parts_in_order() -> None:
    nested = image("top", "1", children=("inner",)), image("inner", children=("amd64",))
    uses = [Use("task 2", "", digest=digest("amd64")), Use("web:1", "", tag="1")]
    found = UsesOf(uses, family_of([*nested, image("amd64")]))
    assert found.of(nested[0]) == uses
