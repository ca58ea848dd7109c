"""Values written to a file: dotenv, JSON or YAML, for nobody else to read.

`values.read_values_file` reads each of them back as it was.
"""

from __future__ import annotations

import json
import os
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, SchoolctlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TextIO

    from schoolctl.model.secret_value import SecretValue

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
            from schoolctl.config.overlay import dump_yaml

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
