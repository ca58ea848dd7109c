"""YAML's traps are errors with a place and a cure, and the reader keeps every place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.config.overlay import dump_yaml
from schoolctl.config.reader import Document, read_document
from schoolctl.config.tree import (
    Layer,
    MapNode,
    Scalar,
    Trap,
    key_origin,
    node_at,
    read_plain,
    to_plain,
)

FILE = Path("/project/schoolctl.yaml")


def read(content: str | bytes) -> Document:
    data = content.encode() if isinstance(content, str) else content
    return read_document(data, file=FILE, layer=Layer.BASE)


def only_problem(content: str | bytes) -> str:
    found = read(content).problems
    assert len(found) == 1, found
    return str(found[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-7", -7),
        ("3000", 3000),
        ("123456789012", 123456789012),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1.5e+3", 1500.0),
        ("us-east-1", "us-east-1"),
        ("1.0.3", "1.0.3"),
        ("-m", "-m"),
        ("y", "y"),
        ("127.0.0.1:4566", "127.0.0.1:4566"),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("1.2e", "1.2e"),
        ("10-days", "10-days"),
    ],
)
def test_a_plain_word_has_one_meaning(text: str, value: object) -> None:
    found = read_plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"),
        *("012345670123", "0777", "08", "-01", "00"),
        *("0x1F", "0o17", "0b101"),
        *("1_000", "1_0.5", "+1"),
        *("22:22", "1:30:00", "190:20:30.15"),
        *("2026-11-02", "2026-11-02 10:00:00", "2026-11-2T1:00:00Z"),
        *("1e3", "12e4567", "1.5e3"),
        *(".inf", "-.INF", ".nan"),
        *("<<", "="),
        *("1234567890123456789", "1" * 400 + ".0", "1.0e+400"),
    ],
)
def test_a_word_with_two_meanings_is_a_trap(text: str) -> None:
    assert isinstance(read_plain(text), Trap)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(
            "a:\n  account: 012345670123\n",
            "schoolctl.yaml:2:12  a.account: `012345670123` is octal, decimal or text, depending on"
            ' the YAML reader; write "012345670123" for text, or without the leading 0 for a'
            " number",
            id="octal",
        ),
        pytest.param(
            "time: 22:22\n",
            "schoolctl.yaml:1:7  time: `22:22` is a number in base 60 to some YAML readers;"
            ' write "22:22" for text',
            id="sexagesimal",
        ),
        pytest.param(
            "country: no\n",
            "schoolctl.yaml:1:10  country: `no` is the boolean false to some YAML readers and a"
            ' word to others; write false, or "no" for the word',
            id="norway",
        ),
        pytest.param(
            "environments:\n  on: {}\n",
            "schoolctl.yaml:2:3  environments.on: `on` is the boolean true to some YAML readers"
            ' and a word to others; write "on"',
            id="boolean as a key",
        ),
        pytest.param(
            "8080: x\n",
            'schoolctl.yaml:1:1  8080: the key `8080` is no text; write "8080"',
            id="number as a key",
        ),
        pytest.param(
            "app: a\nb: 1\napp: c\n",
            "schoolctl.yaml:3:1  app: is there twice, first in line 1; remove one of them",
            id="duplicate key",
        ),
        pytest.param(
            "a: {b: 1, b: 2}\n",
            "schoolctl.yaml:1:11  a.b: is there twice, first in line 1; remove one of them",
            id="duplicate key in a flow mapping",
        ),
        pytest.param(
            "a:\n\tb: 1\n",
            "schoolctl.yaml:2:1  a tab; YAML is indented with spaces only",
            id="tab as indentation",
        ),
        pytest.param(
            "a:\n  b: 1\n  \tc: 1\n",
            "schoolctl.yaml:3:3  a tab; YAML is indented with spaces only",
            id="tab after spaces",
        ),
        pytest.param(
            "a:\tb\n",
            "schoolctl.yaml:1:3  a tab; YAML is indented with spaces only",
            id="tab after a colon",
        ),
        pytest.param(
            b"\xef\xbb\xbfapp: x\n",
            "schoolctl.yaml:1:1  the file begins with a byte order mark; save it as UTF-8 without"
            " one",
            id="byte order mark",
        ),
        pytest.param(
            "app: x\n".encode("utf-16"),
            "schoolctl.yaml:1:1  the file is UTF-16; save it as UTF-8",
            id="UTF-16",
        ),
        pytest.param(
            b"app: x\nname: caf\xe9\n",
            "schoolctl.yaml:2:10  the byte 0xe9 is not UTF-8; save the file as UTF-8",
            id="Latin-1",
        ),
        pytest.param(
            "app: x\nname: a\x07\n",
            "schoolctl.yaml:2:8  the character U+0007 may not stand in YAML",
            id="control character",
        ),
        pytest.param(
            "app: !!python/object/apply:os.system [ls]\n",
            "schoolctl.yaml:1:6  app: the tag `!!python/object/apply:os.system` is not read;"
            " remove it",
            id="python object",
        ),
        pytest.param(
            "port: !!str 3000\n",
            "schoolctl.yaml:1:7  port: the tag `!!str` is not read; remove it",
            id="standard tag",
        ),
        pytest.param(
            "app: !Ref x\n",
            "schoolctl.yaml:1:6  app: the tag `!Ref` is not read; remove it",
            id="local tag",
        ),
        pytest.param(
            "app: x\n---\napp: y\n",
            "schoolctl.yaml:2:1  a second document begins here; keep one and remove this `---`",
            id="two documents",
        ),
        pytest.param(
            "- app\n",
            "schoolctl.yaml:1:1  the file must hold keys and values, such as `app: NAME`",
            id="list at the root",
        ),
        pytest.param(
            "just text\n",
            "schoolctl.yaml:1:1  the file must hold keys and values, such as `app: NAME`",
            id="text at the root",
        ),
        pytest.param(
            "? [a, b]\n: c\n",
            "schoolctl.yaml:1:3  a key must be a single word or text in quotes",
            id="list as a key",
        ),
        pytest.param(
            "a: &x [*x]\n",
            "schoolctl.yaml:1:8  a[0]: `*x` stands inside the very thing it refers to",
            id="alias to itself",
        ),
        pytest.param(
            "a: *x\n",
            "schoolctl.yaml:1:4  a: `*x` refers to nothing: there is no `&x`",
            id="alias to nothing",
        ),
        pytest.param(
            "a: &x {b: 1}\nc: {<<: *x}\n",
            "schoolctl.yaml:2:5  c.<<: `<<` merges mappings in YAML 1.1 only; write its keys out",
            id="merge key",
        ),
        pytest.param(
            "a: " + "[" * 60,
            "schoolctl.yaml:1:43  nested deeper than 40 levels",
            id="deep nesting",
        ),
        pytest.param(
            "a: b: c\n",
            "schoolctl.yaml:1:5  not valid YAML: a second `: ` in one line (put such text in"
            " quotes), or a line indented too far",
            id="two colons",
        ),
        pytest.param(
            "a:\n  b: 1\n c: 2\n",
            "schoolctl.yaml:3:2  not valid YAML: this line is not indented like its neighbours",
            id="wrong indentation",
        ),
        pytest.param(
            "a: 'x\nb: 1\n",
            "schoolctl.yaml:1:4  not valid YAML: the quote that opens here is not closed",
            id="open quote",
        ),
        pytest.param(
            "a: 1\nb: [1, 2\nc: 3\n",
            "schoolctl.yaml:2:4  not valid YAML: the bracket that opens here is not closed, or"
            " lacks a `,` inside",
            id="open bracket",
        ),
        pytest.param(
            "a: 1\nb\n",
            "schoolctl.yaml:2:1  not valid YAML: a key without its `:`, or a line that is not"
            " indented like its neighbours",
            id="key without colon",
        ),
        pytest.param(
            "a: @x\n",
            "schoolctl.yaml:1:4  not valid YAML: text that begins with this character must be in"
            " quotes",
            id="reserved character",
        ),
        pytest.param(
            "credentials: {secret_access_key: 012e34}\n",
            "schoolctl.yaml:1:34  credentials.secret_access_key: this value means different things"
            " to YAML readers; put it in quotes",
            id="a secret stays out of its error",
        ),
    ],
)
def test_a_trap_is_an_error_with_its_place_and_cure(content: str | bytes, problem: str) -> None:
    assert only_problem(content) == problem


def test_aliases_that_explode_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)
    ]
    assert "more than 20000 values, counting what aliases repeat" in only_problem("\n".join(lines))


def test_a_huge_file_is_refused() -> None:
    assert "1000000 at most" in only_problem(b"# " + b"x" * 1_000_000)


def test_an_alias_gives_the_same_value_again() -> None:
    root = read("a: &x {b: [1, two]}\nc: *x\n").root
    assert root is not None
    assert to_plain(root) == {"a": {"b": [1, "two"]}, "c": {"b": [1, "two"]}}


def test_all_traps_of_a_file_are_found_at_once() -> None:
    found = read("a: no\nb: 0777\nc: ok\nc: twice\n").problems
    assert [problem.origin.line for problem in found] == [1, 2, 4]


@pytest.mark.parametrize("content", ["", "\n", "# only a comment\n", "---\n", "{}\n"])
def test_an_empty_file_has_no_keys(content: str) -> None:
    root = read(content).root
    assert root is not None
    assert not root.entries


def test_crlf_and_trailing_blanks_change_nothing() -> None:
    plain = "app: x\ntask:\n  port: 3000\n  family: a b\n"
    root = read(plain).root
    other = read(plain.replace("\n", "   \r\n")).root
    assert root is not None
    assert other is not None
    assert to_plain(other) == to_plain(root)
    assert key_origin(other, ("task", "family")) == key_origin(root, ("task", "family"))


def test_a_tab_inside_text_is_text() -> None:
    root = read('a: |\n  x\n  \ty\nb: "\t"\n').root
    assert root is not None
    assert to_plain(root) == {"a": "x\n\ty\n", "b": "\t"}


def test_every_value_has_the_place_where_it_is_written() -> None:
    root = read("app: x\ntask:\n    port:   3000\n    list: [a,\n      b]\n").root
    assert root is not None
    places = {
        path: (node.origin.line, node.origin.column)
        for path in (("app",), ("task", "port"), ("task", "list", 1))
        if isinstance(node := node_at(root, path), Scalar)
    }
    assert places == {("app",): (1, 6), ("task", "port"): (3, 13), ("task", "list", 1): (5, 7)}


def test_quotes_make_text_of_anything() -> None:
    root = read('a: "no"\nb: \'012\'\nc: ""\n').root
    assert root is not None
    assert to_plain(root) == {"a": "no", "b": "012", "c": ""}


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**17), max_value=10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, min_size=1))
def test_what_is_written_to_an_overlay_is_read_back(value: dict[str, object]) -> None:
    document = read(dump_yaml(value))
    assert document.problems == ()
    assert isinstance(document.root, MapNode)
    assert to_plain(document.root) == value
