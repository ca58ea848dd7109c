"""Values from words and files: decoded, checked, and written to private files.

No error here repeats a value, or any part of one: it may be a password.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import ConflictError, SchoolctlError, UsageError
from schoolctl.config.overlay import dump_yaml
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from schoolctl.params.rules import Entry


# Source: SSM PutParameter, member Value: 4 KB in the standard tier, 8 KB in the advanced one, which
# costs money and cannot be left again.
_PARAMETER_BYTES = 4096
_ADVANCED_BYTES = 8192
# Source: Secrets Manager CreateSecret, member SecretString.
_SECRET_BYTES = 65_536
_FILE_BYTES = 1_000_000

_DOTENV_LINE = re.compile(r"\s*(?:export\s+)?(?P<key>[\w./+@-]+)\s*=\s*(?P<value>.*?)\s*")
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*)(?P=quote)(?:\s+#.*)?""")
_DOUBLE_QUOTED_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Problem:
    """Why a value is refused. A `doubtful` one AWS would take: `--as-is` lets it through."""

    text: str
    doubtful: bool = False


def check_value(entry: Entry, value: SecretValue) -> Iterator[Problem]:
    """Give what is wrong with `value`; nothing for a good one."""
    text = value.reveal()
    if not text:
        yield Problem("is empty")
        return
    if any("\ud800" <= each <= "\udfff" for each in text):
        yield Problem("is not UTF-8 text")
    if "\0" in text:
        yield Problem("holds a NUL byte")
    yield from _size_problems(entry, text)
    if entry.kind is Kind.PARAMETER and re.search(r"\{\{.*?\}\}", text, re.DOTALL):
        yield Problem("holds {{...}}, which SSM takes for a reference to another parameter")
    if text != text.strip():
        yield Problem("begins or ends with a blank or a line break", doubtful=True)
    if entry.kind is Kind.SECRET and not text.isascii() and not _is_latin_1(text):
        yield Problem(
            "holds a character outside Latin-1, which MySQL's Python client cannot send in a"
            " password",
            doubtful=True,
        )


def _size_problems(entry: Entry, text: str) -> Iterator[Problem]:
    length = len(text.encode("utf-8", "surrogatepass"))
    if entry.kind is Kind.SECRET:
        if length > _SECRET_BYTES:
            yield Problem(f"has {length} bytes; a secret takes {_SECRET_BYTES}")
    elif length > _ADVANCED_BYTES:
        yield Problem(f"has {length} bytes; no parameter takes more than {_ADVANCED_BYTES}")
    elif length > _PARAMETER_BYTES:
        yield Problem(
            f"has {length} bytes; a standard parameter takes {_PARAMETER_BYTES}"
            f" (a secret takes {_SECRET_BYTES})"
        )


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def refuse_bad_values(given: dict[Entry, SecretValue], *, as_is: bool) -> None:
    """Raise one `UsageError` with every problem of every value.

    Args:
        given: the values, by entry.
        as_is: whether values that only look like a mistake are taken.
    """
    problems = [
        (entry, problem)
        for entry, value in given.items()
        for problem in check_value(entry, value)
        if not (as_is and problem.doubtful)
    ]
    if not problems:
        return
    may_pass = all(problem.doubtful for _, problem in problems)
    first = problems[0][0]
    raise UsageError(
        f"the value of {first.key} cannot be used"
        if len(problems) == 1
        else f"{len(problems)} problems with the values",
        why="\n".join(f"{entry.key}: the value {problem.text}" for entry, problem in problems),
        hint="if it is meant, add --as-is" if may_pass else "nothing was changed; correct it",
    )


def decode(content: bytes, source: str) -> str:
    """Give the text of bytes that were read from `source`, without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Without the cause: its arguments hold the bytes.
        raise UsageError(
            f"{source} is not UTF-8 text", hint="values are text; convert it with `iconv -t UTF-8`"
        ) from None


def drop_newline(text: str) -> str:
    """Take away the one line break that `echo` and editors put at the end."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def readable_by_others(file: Path) -> bool:
    """Say whether other users of the machine may read a regular file."""
    mode = file.stat().st_mode
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def read_values_file(file: Path) -> dict[str, SecretValue]:
    """Read `KEY: value` pairs: `.json` and `.yaml` by their ending, anything else as dotenv.

    Raises:
        UsageError: it cannot be read, or does not say plainly which text each key has.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"could not read {file}", why=error.strerror or str(error)) from error
    if len(content) > _FILE_BYTES:
        raise UsageError(f"{file} has more than {_FILE_BYTES} bytes", why="values are small texts")
    values: dict[str, SecretValue] = {}
    try:
        for place, key, value in _pairs(decode(content, str(file)), file):
            if key in values:
                raise UsageError(f"{place}: {key} is given twice", hint="take one of them out")
            values[key] = SecretValue(value)
    except RecursionError:
        raise UsageError(
            f"{file} is nested too deep", hint="write one `key: value` a line"
        ) from None
    if not values:
        raise UsageError(f"{file} holds no values", hint="write one `key=value` a line")
    return values


def _pairs(text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    """Give the place, key and value of each pair, in the file's order."""
    match file.suffix.lower():
        case ".json":
            return _json_pairs(text, file)
        case ".yaml" | ".yml":
            return _yaml_pairs(text, file)
        case _:
            return _dotenv_pairs(text, file)


def _dotenv_pairs(text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    # Not splitlines(): a value may hold U+2028 and its like.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{file}:{number}"
        match = _DOTENV_LINE.fullmatch(line)
        if match is None:
            raise UsageError(
                f"{place}: this line is not `key=value`",
                hint="write a value of several lines in double quotes, with \\n in it",
            )
        yield place, match["key"], _dotenv_value(match["value"], place)


def _dotenv_value(raw: str, place: str) -> str:
    if not raw.startswith(("'", '"')):
        return re.split(r"\s+#|^#", raw, maxsplit=1)[0]
    match = _QUOTED.fullmatch(raw)
    if match is None:
        raise UsageError(
            f"{place}: the quote that opens the value is not closed at its end",
            hint="close it, or put the whole value into the other kind of quotes",
        )
    if match["quote"] == "'":
        return match["text"]
    return _DOUBLE_QUOTED_ESCAPE.sub(lambda each: _ESCAPES.get(each[1], each[1]), match["text"])


def _json_pairs(text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    try:
        # Pairs instead of a dictionary, so that a key given twice is seen.
        pairs = json.loads(text, object_pairs_hook=_JsonObject)
    except json.JSONDecodeError as error:
        # Without the cause: it holds the whole text.
        raise UsageError(
            f"{file}:{error.lineno}:{error.colno}: not valid JSON", why=error.msg
        ) from None
    if not isinstance(pairs, _JsonObject):
        raise UsageError(f"{file} is not a JSON object", hint='write {"key": "value", ...}')
    for key, value in pairs:
        if not isinstance(value, str):
            raise UsageError(f"{file}: {key} is not text", hint="put the value in double quotes")
        yield str(file), key, value


class _JsonObject(list[tuple[str, Any]]):
    """The pairs of a JSON object; a type of its own, as an array is a list, too."""


def _yaml_pairs(text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        # PyYAML's own words quote the line.
        raise UsageError(
            f"{place}: not valid YAML", hint="put values with special characters in quotes"
        ) from None
    except yaml.YAMLError:
        raise UsageError(f"{file}: not valid YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{file} is not a YAML mapping", hint="write `key: value`, one a line")
    for key, value in root.value:
        place = f"{file}:{value.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"{place}: the key is not text")
        if not isinstance(value, yaml.ScalarNode) or value.tag != "tag:yaml.org,2002:str":
            raise UsageError(
                f"{place}: {key.value} is not text",
                why="YAML reads such a value as a number, a boolean, a date or a list",
                hint="put the value in quotes",
            )
        yield place, key.value, value.value


_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PRIVATE = 0o600


class Format(StrEnum):
    """How values are written down."""

    DOTENV = "dotenv"
    JSON = "json"
    YAML = "yaml"


_SUFFIXES = {".json": Format.JSON, ".yaml": Format.YAML, ".yml": Format.YAML}


def format_of(file: Path | None, wanted: Format | None) -> Format:
    """Give the format: the one that was asked for, or the one that the file's ending means.

    Raises:
        UsageError: they contradict each other, so that the file could not be read again.
    """
    if file is None:
        return wanted or Format.DOTENV
    meant = _SUFFIXES.get(file.suffix.lower(), Format.DOTENV)
    if wanted not in {None, meant}:
        raise UsageError(
            f"--format {wanted} does not go with {file.name}",
            why=f"whoever reads a file of that name takes it for {meant}",
            hint="leave out --format, or give the file another ending",
        )
    return meant


def render_values(values: Mapping[str, SecretValue], form: Format) -> str:
    """Write values as the text of a file, with a line break at its end."""
    plain = {key: value.reveal() for key, value in values.items()}
    match form:
        case Format.JSON:
            return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
        case Format.YAML:
            return dump_yaml(plain)
        case Format.DOTENV:
            return "".join(f"{key}={_quoted(text)}\n" for key, text in plain.items())


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(each, each) for each in text) + '"'


def write_private(file: Path, text: str, *, overwrite: bool) -> None:
    """Write a file that only this user can read; never half of it.

    Args:
        file: its path; the folder must be there.
        text: all of it.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ConflictError: there is one, and it may not be replaced, or it is no plain file.
        SchoolctlError: it cannot be written.
    """
    try:
        there = file.lstat()
    except OSError:
        there = None
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise ConflictError(
            f"{file} is no plain file; it is left as it is", hint="give another FILE"
        )
    if there is not None and not overwrite:
        raise ConflictError(
            f"{file} is there already; it is left as it is",
            hint="give another FILE, or add --overwrite",
        )
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            if overwrite:
                temporary.replace(file)
            else:
                # Fails where somebody made one meanwhile; `replace` would not.
                os.link(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise SchoolctlError(
            f"could not write {file}",
            why=error.strerror or str(error),
            hint="check that its folder is there, and writable for you",
        ) from None


def refuse_shared_output(stream: TextIO) -> None:
    """Raise a `UsageError` where `stream` goes to a file that other users can read."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return  # no file of the system's, such as a buffer
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise UsageError(
            "other users can read the file that the values would go to",
            why="a shell makes `> FILE` readable for all, unless it is told otherwise",
            hint="add `--output FILE` instead, which only you can read; or `umask 077` first",
        )
