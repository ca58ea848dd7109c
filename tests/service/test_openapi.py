from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
from openapi_spec_validator import validate

from service.app import OPENAPI
from service.validation import FIELDS, MAX_EMAIL, MAX_NAME, MAX_PHONE, MAX_PROGRAM
from tests.service.conftest import ADA

if TYPE_CHECKING:
    from flask.testing import FlaskClient

DOCUMENT = json.loads(OPENAPI.read_text())
REGISTRATION = DOCUMENT["components"]["schemas"]["Registration"]


def test_the_document_is_valid_openapi_and_is_served(client: FlaskClient) -> None:
    validate(DOCUMENT)
    assert client.get("/openapi.json").get_json() == DOCUMENT


def test_the_limits_in_the_document_are_those_of_the_code() -> None:
    limits = {name: schema["maxLength"] for name, schema in REGISTRATION["properties"].items()}
    assert limits == {
        "name": MAX_NAME,
        "email": MAX_EMAIL,
        "phone": MAX_PHONE,
        "program": MAX_PROGRAM,
    }
    assert set(REGISTRATION["required"]) == set(FIELDS)


def test_every_path_in_the_document_is_routed_and_no_other_under_api(client: FlaskClient) -> None:
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert set(DOCUMENT["paths"]) <= rules
    assert {rule for rule in rules if rule.startswith("/api")} <= set(DOCUMENT["paths"])


def test_the_example_in_the_document_works(client: FlaskClient) -> None:
    operation = DOCUMENT["paths"]["/api/register"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    jsonschema.validate(example, REGISTRATION)
    response = client.post("/api/register", json=example)
    assert str(response.status_code) in operation["responses"]
    assert client.post("/api/register", json=ADA).get_json()["id"] == response.get_json()["id"]
