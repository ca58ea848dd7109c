"""`.schoolctl/<environment>.yaml`: what belongs to one machine, merged last, ignored by git."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import yaml

from schoolctl.base.errors import SchoolctlError
from schoolctl.config.merge import merge
from schoolctl.config.reader import read_document
from schoolctl.config.tree import (
    OVERLAY_DIRECTORY,
    InvalidConfigError,
    Layer,
    MapNode,
    from_plain,
    read_plain,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HEADER: Final = (
    "# What belongs to this machine only: merged over schoolctl.yaml, ignored by git.\n"
    "# schoolctl writes here and keeps the values that you add; comments are not kept.\n"
)


def overlay_path(directory: Path, environment: str) -> Path:
    """Give the path of an environment's overlay; `directory` is that of schoolctl.yaml."""
    return directory / OVERLAY_DIRECTORY / f"{environment}.yaml"


def make_overlay_directory(directory: Path) -> Path:
    """Make `.schoolctl` beside schoolctl.yaml, for this user alone and ignored by git."""
    folder = directory / OVERLAY_DIRECTORY
    ignore = folder / ".gitignore"
    with _writing(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    return folder


def write_overlay(directory: Path, environment: str, values: Mapping[str, object]) -> Path:
    """Merge `values` into an environment's overlay, keeping what else is there.

    Args:
        directory: the folder of schoolctl.yaml.
        environment: the environment's name.
        values: nested dictionaries, lists and scalars; None unsets what schoolctl.yaml says.

    Returns:
        The overlay's path; the file is readable by this user only, and replaced at once, so
        that a reader never sees half of it.

    Raises:
        InvalidConfigError: the overlay that is there cannot be read; it is left as it is.
    """
    path = overlay_path(directory, environment)
    merged = merge(_read(path), from_plain(dict(values)))
    make_overlay_directory(directory)
    replace_file(path, _HEADER + dump_yaml(to_plain(merged)))
    return path


def remove_overlay(directory: Path, environment: str) -> None:
    """Remove an environment's overlay, if there is one; `directory` is that of schoolctl.yaml."""
    overlay_path(directory, environment).unlink(missing_ok=True)


def replace_file(path: Path, text: str) -> None:
    """Put `text` in the place of a file at once, readable by this user only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with _writing(path):
        # A file of that name can only be what a killed process with our id has left.
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SchoolctlError(
            f"cannot write {path}",
            why=error.strerror or str(error),
            hint="make the folder of schoolctl.yaml writable for you",
        ) from None


def dump_yaml(value: object) -> str:
    """Write a value as YAML that `read_document` reads back as the same value."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=10_000)
    return str(text)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever our reader would not take for the text that it is."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if read_plain(text) == text and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _read(path: Path) -> MapNode:
    if not path.exists():
        return MapNode()
    document = read_document(path.read_bytes(), file=path, layer=Layer.OVERLAY)
    if document.root is None or document.problems:
        raise InvalidConfigError(document.problems)
    return document.root
