"""How a container gets a value, and what of that has to be restarted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schoolctl.params.freshness import Delivery, Freshness, Stamp, delivery_of

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b/pw-AbCdEf"
NAME = "a/b/pw"
START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=5)


def definition(**container: object) -> dict[str, object]:
    return {"containerDefinitions": [{"name": "side"}, {"name": "web", **container}]}


def variable(value: str) -> dict[str, object]:
    return definition(environment=[{"name": "X", "value": value}])


def injected(source: str) -> dict[str, object]:
    return definition(secrets=[{"name": "X", "valueFrom": source}])


@pytest.mark.parametrize(
    ("told", "names", "delivery"),
    [
        (variable(ARN), (NAME, ARN), Delivery.BY_NAME),
        (variable("/a/b/host"), ("/a/b/host",), Delivery.BY_NAME),
        (injected(ARN), (NAME, ARN), Delivery.INJECTED),
        (injected(f"{ARN}:password::"), (NAME, ARN), Delivery.INJECTED),
        (injected("/a/b/host"), ("/a/b/host",), Delivery.INJECTED),
        (injected("arn:aws:ssm:us-east-1:123456789012:parameter/a/b/host"), ("/a/b/host",),
         Delivery.INJECTED),
        (injected(f"{ARN}x"), (NAME, ARN), None),
        (variable("something"), (NAME, ""), None),
        ({}, (NAME,), None),
    ],
)  # fmt: skip
def test_how_a_container_gets_a_value(
    told: dict[str, object], names: tuple[str, ...], delivery: Delivery | None
) -> None:
    assert delivery_of(told, *names) is delivery


@pytest.mark.parametrize(
    ("kind", "delivery", "changed_at", "in_use", "restart"),
    [
        ("secret", Delivery.BY_NAME, LATER, None, False),
        ("secret", Delivery.INJECTED, LATER, False, True),
        ("secret", None, LATER, False, True),
        # The service reads its parameters when it starts, and not again.
        ("parameter", Delivery.BY_NAME, LATER, False, True),
        ("secret", Delivery.INJECTED, START, True, False),
    ],
)
def test_a_restart_is_advised_where_it_is_needed(
    *,
    kind: str,
    delivery: Delivery | None,
    changed_at: datetime,
    in_use: bool | None,
    restart: bool,
) -> None:
    fresh = Freshness((Stamp("it", kind, changed_at, delivery),), START)
    assert fresh.in_use("it") is in_use
    advised = "`schoolctl restart` lets the tasks read it anew" in fresh.lines(LATER)
    assert advised is restart
    assert fresh.document()["needs_restart"] == (["it"] if restart else [])


def test_of_what_was_not_read_nothing_is_claimed() -> None:
    fresh = Freshness((Stamp("gone", "secret", None),), START)
    assert fresh.in_use("gone") is None
    assert fresh.in_use("another") is None
