"""The JSON Schema of schoolctl.yaml, for editors."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from schoolctl.config.models import Settings
from schoolctl.config.overlay import make_overlay_directory, replace_file

if TYPE_CHECKING:
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
