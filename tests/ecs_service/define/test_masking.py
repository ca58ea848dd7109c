"""Which values look like secrets."""

from __future__ import annotations

import json

import pytest

from schoolctl.ecs_service.define.masking import looks_secret, masked, replace_secrets
from tests.definitions import DEFINITIONS

SECRET = [
    ("DB_PASSWORD", "x"),
    ("dbPassword", "hunter2"),
    ("DB_PASS", "q"),
    ("API_KEY", "v"),
    ("apikey", "abc"),
    ("KEY", "v"),
    ("Splunk-token", "x"),
    ("ANYTHING", "postgres://app:pw@host/db"),
    ("ANYTHING", "postgres://host/db?user=app&password=x"),
    ("ANYTHING", "AKIAIOSFODNN7EXAMPLE"),
    ("ANYTHING", "-----BEGIN RSA PRIVATE KEY-----\nMII"),
    ("ANYTHING", "AbCd1234AbCd1234AbCd1234AbCd1234AbCd"),
    ("command", "serve --token abc"),
]
PLAIN = [
    ("LOG_LEVEL", "info"),
    ("DB_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf"),
    ("PASSWORD_FILE", "/run/secrets/password"),
    ("USE_TOKEN", "true"),
    ("API_KEY", ""),
    ("MONKEY", "banana"),
    ("AUTHOR", "ann"),
    ("COMPASS", "north"),
    ("PUBLIC_URL", "https://school.example/path?page=2"),
    ("GIT_COMMIT", "3f2a" * 10),
    ("command", "mkdir -p /tmp/x"),
]


@pytest.mark.parametrize(("name", "value"), SECRET)
def test_this_looks_secret(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(("name", "value"), PLAIN)
def test_this_does_not(name: str, value: str) -> None:
    assert not looks_secret(name, value)


def test_no_canary_of_a_definition_is_left_after_masking() -> None:
    given = DEFINITIONS["plain text that ought to be secret"]
    assert json.dumps(given).count("canary") == 6
    shown = json.dumps(masked(given))
    assert "canary" not in shown
    assert '"LOG_LEVEL", "value": "info"' in shown


def test_what_was_masked_is_named_with_its_container() -> None:
    given = DEFINITIONS["plain text that ought to be secret"]
    _, found = replace_secrets(given["containerDefinitions"], "***")
    assert found == (
        "web/API_TOKEN",
        "web/BROKER",
        "web/password",
        "agent/DD_API_KEY",
        "agent/splunk-token",
        "agent/secret",
    )
