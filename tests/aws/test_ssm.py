"""SSM and the threads beside it: batches, missing names, errors."""

from __future__ import annotations

import json
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.aws.ssm import get_parameters, last_writers, put_parameter
from schoolctl.base.errors import AccessDeniedError, ConflictError
from schoolctl.model.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws
    from tests.faults import Faults

NAMES = [f"/a/b/key{number}" for number in range(23)]


@pytest.fixture
def clients(faults: Faults) -> Iterator[Clients]:
    made = Clients(
        Connection(
            credentials=Setting(None, "test"),
            region=Setting("us-east-1", "test"),
            endpoint_url=Setting(faults.endpoint_url, "test"),
        )
    )
    yield made
    made.close()


def put_all(aws: Aws) -> None:
    for name in NAMES[:-1]:
        aws.client("ssm").put_parameter(Name=name, Value=f"of {name}", Type="String")


def test_any_number_of_names_is_read_ten_a_call(aws: Aws, faults: Faults, clients: Clients) -> None:
    put_all(aws)

    found = get_parameters(clients, [*NAMES, NAMES[0]], decrypt=True)

    assert list(found) == NAMES[:-1]
    assert found[NAMES[21]].value == SecretValue(f"of {NAMES[21]}")
    sizes = sorted(len(json.loads(body)["Names"]) for body in faults.bodies)
    assert sizes == [3, 10, 10]


def test_no_names_take_no_call(faults: Faults, clients: Clients) -> None:
    assert get_parameters(clients, [], decrypt=True) == {}
    assert last_writers(clients, []) == {}
    assert faults.calls == []


def test_without_decryption_there_is_no_value_even_of_a_plain_one(
    aws: Aws, clients: Clients
) -> None:
    put_all(aws)

    found = get_parameters(clients, NAMES[:1], decrypt=False)[NAMES[0]]

    assert (found.type, found.version, found.value) == ("String", 1, None)
    assert found.modified_at is not None
    assert found.modified_at.tzinfo is not None


def test_a_denied_batch_denies_all(aws: Aws, faults: Faults, clients: Clients) -> None:
    put_all(aws)
    faults.deny("GetParameters", "ssm:GetParameters")

    with pytest.raises(AccessDeniedError) as caught:
        get_parameters(clients, NAMES, decrypt=True)

    assert caught.value.action == "ssm:GetParameters"


def test_writers_are_given_by_name(aws: Aws, clients: Clients) -> None:
    put_all(aws)

    assert set(last_writers(clients, NAMES)) == set(NAMES[:-1])


def test_a_parameter_that_is_there_is_not_written_over_by_mistake(
    aws: Aws, clients: Clients
) -> None:
    put_all(aws)

    with pytest.raises(ConflictError):
        put_parameter(clients, NAMES[0], "String", SecretValue("new"), overwrite=False)
    assert put_parameter(clients, NAMES[0], "String", SecretValue("new"), overwrite=True) == 2


def test_calls_that_are_started_run_side_by_side(clients: Clients) -> None:
    # Each waits for the other: one after the other, neither would ever end.
    meeting = threading.Barrier(2, timeout=10)

    started = [clients.start(meeting.wait) for _ in range(2)]

    assert sorted(each.result(timeout=10) for each in started) == [0, 1]


def test_a_started_call_gives_its_error_to_whoever_asks(clients: Clients) -> None:
    call = clients.start(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        call.result(timeout=10)


def test_after_close_no_call_begins(clients: Clients) -> None:
    begun = threading.Event()
    clients.close()

    call = clients.start(begun.set)

    with pytest.raises(CancelledError):
        call.result(timeout=10)
    assert not begun.is_set()
