"""The schoolctl.yaml of this repository shows every key, and its schema knows every key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from schoolctl.config.file import load_config_file, parse_config
from schoolctl.config.messages import FILE_KEYS, field_names, sibling_keys
from schoolctl.config.models import Settings
from schoolctl.config.reader import read_document
from schoolctl.config.schema import json_schema
from schoolctl.config.tree import Layer, to_plain
from tests.config.samples import FILE, SMALL, small

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "schoolctl.yaml"


def _plain(text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    root = read_document(data, file=FILE, layer=Layer.BASE).root
    assert root is not None
    return to_plain(root)


def _keys() -> Iterator[str]:
    """Give every key that a committed file can have."""
    yield from FILE_KEYS
    pending: list[tuple[str, ...]] = [(name,) for name in field_names(Settings)]
    pending.remove(("credentials",))
    pending += [
        ("parameters", "x", name) for name in sibling_keys(("parameters", "x"), file_level=False)
    ]
    pending += [("secrets", "x", name) for name in sibling_keys(("secrets", "x"), file_level=False)]
    while pending:
        path = pending.pop()
        yield path[-1]
        if path[0] not in {"parameters", "secrets"}:
            pending += [(*path, name) for name in sibling_keys(path, file_level=False)]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("environment", ["dev", "prod", "sandbox"])
def test_the_shipped_file_resolves_in_every_environment(environment: str) -> None:
    # Parsed without the folder: a sandbox's overlay of this machine is not what is tested.
    file = parse_config(SHIPPED.read_bytes(), path=FILE)
    config = file.resolve(environment).config
    assert (config.app, config.environment) == ("schoolapp", environment)


def test_the_shipped_file_is_the_documented_example() -> None:
    file = load_config_file(SHIPPED, cwd=REPOSITORY)
    assert file.environment_names == ("dev", "prod", "sandbox")
    assert file.default_environment == "dev"
    prod = parse_config(SHIPPED.read_bytes(), path=FILE).resolve("prod").config
    assert (prod.task.cpu, prod.task.memory, prod.protected, prod.git.branch) == (
        512,
        1024,
        True,
        "main",
    )


@pytest.mark.parametrize("key", sorted(set(_keys())))
def test_the_shipped_file_shows_every_key(key: str) -> None:
    words = SHIPPED.read_text().replace(":", " ").replace("`", " ").split()
    assert key in words


def test_the_shipped_file_fits_the_schema(validator: Any) -> None:
    assert list(validator.iter_errors(_plain(SHIPPED.read_bytes()))) == []


@pytest.mark.parametrize(
    "text",
    [
        small(task="port: null", prod="service: {deployment: null}"),
        small(service="subnets: [subnet-1]"),
        small(service="subnets: {Tier: private}", prod="service: {subnets: {Tier: null, Zone: a}}"),
        small(root="parameters: {a: {}, b: {from: rds.user}}", prod="parameters: {a: null}"),
    ],
)
def test_what_is_accepted_fits_the_schema(validator: Any, text: str) -> None:
    parse_config(text, path=FILE)
    assert list(validator.iter_errors(_plain(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        SMALL + "regoin: x\n",
        small(task="port: '3000'"),
        small(task="port: 0"),
        small(prod="task: {cup: 256}"),
        small(image="platform: linux/arm"),
        small(root="parameters: {a: {from: rds.x}}"),
        small(dev="credentials: {access_key_id: a, secret_access_key: b}"),
        SMALL.partition("environments:")[0],
    ],
)
def test_what_is_refused_does_not_fit_the_schema(validator: Any, text: str) -> None:
    assert list(validator.iter_errors(_plain(text)))


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    missing = [
        name
        for section in sections
        for name, each in section.get("properties", {}).items()
        if not each.get("description")
    ]
    assert missing == []
