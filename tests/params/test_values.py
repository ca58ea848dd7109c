"""Values from files and their checks; no error repeats any part of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.errors import UsageError
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import Entry, Kind
from schoolctl.params.values import (
    check_value,
    decode,
    drop_newline,
    read_values_file,
    readable_by_others,
    refuse_bad_values,
)

if TYPE_CHECKING:
    from pathlib import Path

PARAMETER = Entry("db_host", Kind.PARAMETER, "/a/b/db_host", type="SecureString", hidden=False)
SECRET = Entry("db_password", Kind.SECRET, "a/b/db_password")


def problems(entry: Entry, text: str) -> list[tuple[str, bool]]:
    return [(each.text, each.doubtful) for each in check_value(entry, SecretValue(text))]


@pytest.mark.parametrize("entry", [PARAMETER, SECRET], ids=lambda entry: str(entry.kind))
@pytest.mark.parametrize("text", ["h", "two words", "ä{ssm}é", "{x}", "x" * 4096, "line\nline"])
def test_good_values_pass(entry: Entry, text: str) -> None:
    assert problems(entry, text) == []


@pytest.mark.parametrize(
    ("entry", "text", "wanted"),
    [
        (PARAMETER, "", "is empty"),
        (SECRET, "", "is empty"),
        (PARAMETER, "a\0", "holds a NUL byte"),
        (SECRET, "a\0", "holds a NUL byte"),
        (PARAMETER, "a\udc80", "is not UTF-8 text"),
        (
            PARAMETER,
            "ä" * 2049,
            "has 4098 bytes; a standard parameter takes 4096 (a secret takes 65536)",
        ),
        (PARAMETER, "x" * 8193, "has 8193 bytes; no parameter takes more than 8192"),
        (SECRET, "x" * 65_537, "has 65537 bytes; a secret takes 65536"),
        (
            PARAMETER,
            "{{a}}",
            "holds {{...}}, which SSM takes for a reference to another parameter",
        ),
    ],
)
def test_what_aws_would_refuse_is_a_problem(entry: Entry, text: str, wanted: str) -> None:
    assert problems(entry, text) == [(wanted, False)]


@pytest.mark.parametrize("text", [" a", "a ", "a\n", "\ta"])
def test_blanks_around_a_value_are_doubtful(text: str) -> None:
    assert problems(SECRET, text) == [("begins or ends with a blank or a line break", True)]


def test_a_password_that_mysql_cannot_be_sent_is_doubtful() -> None:
    ((text, doubtful),) = problems(SECRET, "p\u20ac")

    assert "outside Latin-1" in text
    assert doubtful
    assert problems(PARAMETER, "p\u20ac") == []
    assert problems(SECRET, "p\xe4") == []


def test_all_problems_are_said_at_once() -> None:
    given_values = {PARAMETER: SecretValue(""), SECRET: SecretValue(" canary\0")}

    with pytest.raises(UsageError) as caught:
        refuse_bad_values(given_values, as_is=False)

    assert caught.value.what == "3 problems with the values"
    assert caught.value.why.splitlines() == [
        "db_host: the value is empty",
        "db_password: the value holds a NUL byte",
        "db_password: the value begins or ends with a blank or a line break",
    ]
    assert "canary" not in str(caught.value.document())


def test_as_is_lets_doubtful_values_through_and_no_others() -> None:
    refuse_bad_values({SECRET: SecretValue(" a")}, as_is=True)
    with pytest.raises(UsageError, match="cannot be used"):
        refuse_bad_values({SECRET: SecretValue(" a\0")}, as_is=True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("a\r", "a\r"), ("\n", "")],
)
def test_exactly_one_line_break_is_dropped(text: str, kept: str) -> None:
    assert drop_newline(text) == kept


def test_a_byte_order_mark_is_no_part_of_a_value() -> None:
    assert decode(b"\xef\xbb\xbfa", "x") == "a"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def revealed(file: Path) -> dict[str, str]:
    return {key: value.reveal() for key, value in read_values_file(file).items()}


DOTENV = {
    "plain": ("a=1\nb=two words \n", {"a": "1", "b": "two words"}),
    "comments and blank lines": ("# x\n\na=1 # not it\nb=1#it\n", {"a": "1", "b": "1#it"}),
    "export and blanks": ("export a = 1\n", {"a": "1"}),
    "single quotes keep everything": ("a='$x \\n # \"'\n", {"a": '$x \\n # "'}),
    "double quotes know escapes": ('a="1\\n2 \\"x\\" \\\\"\n', {"a": '1\n2 "x" \\'}),
    "a comment after quotes": ("a='1' # x\n", {"a": "1"}),
    "equals signs": ("a=b=c==\n", {"a": "b=c=="}),
    "CRLF": ("a=1\r\nb='2'\r\n", {"a": "1", "b": "2"}),
    "byte order mark": ("\ufeffa=1\n", {"a": "1"}),
    "line separators of Unicode": ("a=1\u20282\n", {"a": "1\u20282"}),
    "empty": ("a=\nb=''\n", {"a": "", "b": ""}),
}


@pytest.mark.parametrize(("content", "wanted"), DOTENV.values(), ids=DOTENV)
def test_dotenv_is_read(tmp_path: Path, content: str, wanted: dict[str, str]) -> None:
    assert revealed(write(tmp_path, ".env", content)) == wanted


OTHERS = {
    "json": ("v.json", '{"a": "1", "b": "\\u00e4"}', {"a": "1", "b": "ä"}),
    "yaml": ("v.yaml", "a: x\nb: '1'\n", {"a": "x", "b": "1"}),
    "yml": ("v.yml", "a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    "upper case ending": ("V.JSON", '{"a": "1"}', {"a": "1"}),
}


@pytest.mark.parametrize(("name", "content", "wanted"), OTHERS.values(), ids=OTHERS)
def test_json_and_yaml_are_read(
    tmp_path: Path, name: str, content: str, wanted: dict[str, str]
) -> None:
    assert revealed(write(tmp_path, name, content)) == wanted


REFUSED = {
    "no pair": (".env", "a=1\ncanary\n", ".env:2: this line is not `key=value`"),
    "open quote": (".env", "a='canary\n", ".env:1: the quote that opens"),
    "text after a quote": (".env", "a='canary'x\n", ".env:1: the quote that opens"),
    "twice": (".env", "a=canary\na=canary\n", ".env:2: a is given twice"),
    "nothing": (".env", "# canary\n", "holds no values"),
    "not UTF-8": (".env", b"a=canary\xff", "is not UTF-8 text"),
    "too large": (".env", "a=" + "x" * 1_000_000, "has more than 1000000 bytes"),
    "broken json": ("v.json", '{"a": "canary"', "v.json:1:15: not valid JSON"),
    "json array": ("v.json", '["canary"]', "is not a JSON object"),
    "json number": ("v.json", '{"a": 31415926}', "a is not text"),
    "json object inside": ("v.json", '{"a": {"b": "canary"}}', "a is not text"),
    "json twice": ("v.json", '{"a": "canary", "a": "canary"}', "a is given twice"),
    "json too deep": ("v.json", "[" * 100_000, "nested too deep"),
    "broken yaml": ("v.yaml", "a: 'canary\n", "not valid YAML"),
    "yaml alias": ("v.yaml", "a: *canary\n", "v.yaml:1:4: not valid YAML"),
    "yaml special character": ("v.yaml", "a: %canary\n", "v.yaml:1:4: not valid YAML"),
    "yaml list": ("v.yaml", "- canary\n", "is not a YAML mapping"),
    "yaml number": ("v.yaml", "a: x\nb: 31415926\n", "v.yaml:2: b is not text"),
    "yaml octal account": ("v.yaml", "a: 012345670123\n", "v.yaml:1: a is not text"),
    "yaml boolean": ("v.yaml", "a: no\n", "v.yaml:1: a is not text"),
    "yaml tag": ("v.yaml", "a: !!python/name:os.system canary\n", "v.yaml:1: a is not text"),
    "yaml twice": ("v.yaml", "a: canary\na: canary\n", "v.yaml:2: a is given twice"),
    "yaml control character": ("v.yaml", "a: canary\x01\n", "not valid YAML"),
    "yaml too deep": ("v.yaml", "[" * 20_000, "v.yaml"),
    "empty yaml": ("v.yaml", "", "is not a YAML mapping"),
}


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_doubtful_file_is_refused_without_its_values(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_values_file(write(tmp_path, name, content))

    assert message in caught.value.what
    assert "canary" not in str(caught.value.document())
    assert "31415926" not in str(caught.value.document())


def test_a_directory_is_no_file_of_values(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_values_file(tmp_path)

    assert caught.value.why == "Is a directory"


@pytest.mark.parametrize(
    ("mode", "others"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_who_can_read_a_file(tmp_path: Path, mode: int, *, others: bool) -> None:
    file = write(tmp_path, "v.env", "a=1")
    file.chmod(mode)

    assert readable_by_others(file) is others


@given(st.text(min_size=1).filter(lambda text: "\n" not in text))
def test_whatever_is_quoted_for_dotenv_is_read_back(text: str) -> None:
    from schoolctl.params.values import _dotenv_value

    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert _dotenv_value(quoted, "x:1") == text
