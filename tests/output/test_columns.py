"""A table as lines of text."""

from __future__ import annotations

from schoolctl.output.columns import aligned


def test_columns_are_as_wide_as_a_terminal_shows_them() -> None:
    lines = list(aligned([("NAME", "N"), ("日本", "1"), ("ab", "10")], right=(False, True)))
    assert lines == ["NAME   N", "日本   1", "ab    10"]


def test_the_last_column_is_folded_at_words_and_stays_in_its_column() -> None:
    rows = [("KEY", "WHY"), ("a", "one two three four five six seven"), ("b", "x" * 30)]
    assert list(aligned(rows, right=(False, False), width=29)) == [
        "KEY  WHY",
        "a    one two three four five",
        "     six seven",
        f"b    {'x' * 24}",
        "     xxxxxx",
    ]


def test_without_a_width_nothing_is_folded_but_lines_of_their_own() -> None:
    rows = [("KEY", "WHY"), ("a", "x" * 300), ("b", "one\ntwo")]
    lines = list(aligned(rows, right=(False, False)))
    assert lines[1:] == [f"a    {'x' * 300}", "b    one", "     two"]


def test_a_table_may_have_one_column_and_no_rows() -> None:
    assert list(aligned([("N",)], right=(True,))) == ["N"]
