"""schoolctl.yaml for people and editors: template, commented file, JSON Schema."""

from __future__ import annotations

import json
import textwrap
from copy import deepcopy
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from schoolctl.base.errors import UsageError
from schoolctl.config.file import parse_config
from schoolctl.config.models import Settings
from schoolctl.config.overlay import dump_yaml, make_overlay_directory, replace_file
from schoolctl.config.tree import InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Give the schema of the whole file (JSON Schema, draft 2020-12).

    It knows the keys, types, limits and descriptions. What only merging can tell (a required
    key that an environment may bring, two values that contradict each other) is left to
    `schoolctl config check`.
    """
    settings = Settings.model_json_schema(mode="validation")
    definitions = settings.pop("$defs", {})
    del settings["required"]
    # Keys are for one machine's overlay, never for the committed file.
    del settings["properties"]["credentials"]
    for definition in (settings, *definitions.values()):
        if "properties" in definition:
            definition.pop("required", None)
            definition["properties"] = {
                name: _nullable(each) for name, each in definition["properties"].items()
            }
    definitions.pop("CredentialsConfig", None)
    environment = {
        **deepcopy(settings),
        "title": "Environment",
        "description": "one environment; overrides any key above, to any depth",
    }
    return {
        "$schema": _DIALECT,
        "title": "schoolctl.yaml",
        "type": "object",
        "additionalProperties": False,
        "required": ["environments"],
        "properties": {
            **settings["properties"],
            "default_environment": {
                "type": "string",
                "description": "environment where --env names none",
            },
            "environments": {
                "type": "object",
                "description": "the environments by name",
                "minProperties": 1,
                "additionalProperties": _nullable({"$ref": "#/$defs/Environment"}),
            },
        },
        "$defs": {**definitions, "Environment": environment},
    }


def write_schema(directory: Path) -> Path:
    """Write the schema to where the first line of schoolctl.yaml sends editors.

    It lies in `.schoolctl`, which git ignores: it belongs to the installed version.

    Args:
        directory: the folder of schoolctl.yaml.
    """
    path = make_overlay_directory(directory) / "schema.json"
    replace_file(path, json.dumps(json_schema(), indent=2) + "\n")
    return path


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Let `null` stand, which brings the default back."""
    schema = _with_nullable_entries(schema)
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    if any(option.get("type") == "null" for option in options):
        return schema
    kept = {key: value for key, value in schema.items() if key in {"description", "default"}}
    rest = {key: value for key, value in schema.items() if key not in kept}
    return {**kept, "anyOf": [rest, {"type": "null"}]}


def _with_nullable_entries(schema: dict[str, Any]) -> dict[str, Any]:
    """Let `null` stand for the entries of mappings such as `parameters`, too."""
    changed = dict(schema)
    if isinstance(schema.get("additionalProperties"), dict):
        changed["additionalProperties"] = _nullable(schema["additionalProperties"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            changed[choice] = [_with_nullable_entries(option) for option in schema[choice]]
    return changed


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


def render_template(path: Path, name: str, *, region: str, profile: str | None) -> str:
    """Fill in the template, and make sure that what comes out is a configuration.

    Raises:
        UsageError: the options make none, such as a name that is too long for a target group.
    """
    template = files("schoolctl").joinpath("templates/schoolctl.yaml").read_text("utf-8")
    quoted = json.dumps(profile) if profile else ""
    text = (
        template.replace("@APP@", name)
        .replace("@REPOSITORY@", name.lower())
        .replace("@REGION@", region)
        .replace("@PROFILE@", f"profile: {quoted}" if profile else "# profile: NAME")
    )
    try:
        parse_config(text, path=path)
    except InvalidConfigError as error:
        problem = error.problems[0]
        raise UsageError(
            f"no {path.name} can be made for an app called {name!r} in region {region!r}",
            why=f"{problem.path}: {problem.message}" if problem.path else problem.message,
            hint="give another --app or --region",
        ) from None
    return text
