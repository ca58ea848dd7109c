"""A configuration as a file for people: each key under what it means."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from schoolctl.config.models import Settings
from schoolctl.config.overlay import dump_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH: Final = 96
_BLOCKS: Final = ("image", "task", "service")
_SECTIONS: Final = {
    "default_environment": "the environment to work on when neither --env nor SCHOOLCTL_ENV names"
    " one",
    "environments": "each overrides any key above, deep",
}
_INDENT: Final = "  "


def write_commented(tree: Mapping[str, Any], header: str) -> str:
    """Give the text of a schoolctl.yaml: the description of each key above it.

    Args:
        tree: the keys of the file, as plain values.
        header: what stands at the top, without `#`.
    """
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for key, value in tree.items():
        lines += ["", *_comment(_SECTIONS.get(key) or _describe(Settings, key), "")]
        if key in _BLOCKS:
            lines.append(f"{key}:")
            lines += _block(value, Settings.model_fields[key].annotation)
        else:
            lines += _entry(key, value, "")
    return "\n".join(lines) + "\n"


def _block(values: Mapping[str, Any], model: object) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from _comment(_describe(model, key), _INDENT)
        yield from _entry(key, value, _INDENT)


def _entry(key: str, value: object, indent: str) -> list[str]:
    return [f"{indent}{line}" for line in dump_yaml({key: value}).splitlines()]


def _describe(model: type[BaseModel], key: str) -> str:
    field = model.model_fields.get(key)
    return (field.description or "") if field is not None else ""


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, _WIDTH - len(indent))]
