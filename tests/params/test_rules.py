"""Which values are written, how, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.errors import ConflictError, NotFoundError, SchoolctlError, UsageError
from schoolctl.config.file import parse_config
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import Entry, Kind, Stored, declared, find_entry, plan_values
from schoolctl.params.steps import PutParameter, PutSecret
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan

HOST = Entry("db_host", Kind.PARAMETER, "/a/b/db_host", type="SecureString", description="RDS")
PORT = Entry("db_port", Kind.PARAMETER, "/a/b/db_port", type="String")
SECRET = Entry("db_password", Kind.SECRET, "a/b/db_password")
GIVEN_ARN = Entry("shared", Kind.SECRET, "arn:aws:x", given_arn=True)
MISSING = Stored(exists=False)
UNKNOWN = Stored(exists=None)
DELETED = Stored(exists=True, deleted_at=datetime(2026, 11, 9, tzinfo=UTC))


def holds(text: str, type_: str = "") -> Stored:
    return Stored(exists=True, value=SecretValue(text), type=type_)


def plan_one(entry: Entry, stored: Stored, *, restore: bool = False) -> Plan:
    value = SecretValue("canary")
    return plan_values({entry: value}, {entry: stored}, "dev", restore=restore)


@pytest.mark.parametrize(
    ("entry", "stored", "restore", "steps"),
    [
        (HOST, MISSING, False, ["create parameter /a/b/db_host (SecureString)"]),
        (
            HOST,
            holds("old", "SecureString"),
            False,
            ["change parameter /a/b/db_host (SecureString)"],
        ),
        (HOST, UNKNOWN, False, ["write parameter /a/b/db_host (SecureString)"]),
        (HOST, holds("canary", "SecureString"), False, []),
        (SECRET, MISSING, False, ["create secret a/b/db_password"]),
        (SECRET, holds("old"), False, ["change secret a/b/db_password"]),
        (SECRET, Stored(exists=True), False, ["change secret a/b/db_password"]),
        (SECRET, holds("canary"), False, []),
        (
            SECRET,
            DELETED,
            True,
            [
                "restore secret a/b/db_password (to be deleted on 2026-11-09)",
                "change secret a/b/db_password",
            ],
        ),
        (GIVEN_ARN, holds("old"), False, ["change secret arn:aws:x"]),
    ],
)
def test_the_steps_follow_from_what_is_stored(
    entry: Entry, stored: Stored, *, restore: bool, steps: list[str]
) -> None:
    plan = plan_one(entry, stored, restore=restore)

    assert [each.describe() for each in plan.steps] == steps
    assert "canary" not in repr(plan)


@pytest.mark.parametrize(
    ("entry", "stored", "kind", "message"),
    [
        (HOST, holds("x", "String"), ConflictError, "is a String"),
        (HOST, holds("canary", "String"), ConflictError, "is a String"),
        (SECRET, DELETED, ConflictError, "scheduled for deletion"),
        (SECRET, Stored(exists=True, owner="rds"), ConflictError, "managed by rds"),
        (GIVEN_ARN, MISSING, NotFoundError, "does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_hint(
    entry: Entry, stored: Stored, kind: type[SchoolctlError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        plan_one(entry, stored)

    assert caught.value.hint


def test_one_value_that_cannot_be_written_stops_all() -> None:
    given_values = {HOST: SecretValue("h"), SECRET: SecretValue("p")}

    with pytest.raises(ConflictError):
        plan_values(given_values, {HOST: MISSING, SECRET: DELETED}, "dev")


def test_only_a_changed_parameter_comes_with_how_tasks_get_it() -> None:
    changed = plan_one(HOST, holds("old", "SecureString"))
    created = plan_one(HOST, MISSING)

    assert [note for note in changed.notes if "`schoolctl restart`" in note]
    assert created.notes == ()


STORED = st.one_of(
    st.just(MISSING),
    st.sampled_from(["a", "b"]).map(lambda text: holds(text, "")),
)


@given(
    st.dictionaries(
        st.sampled_from([HOST, PORT, SECRET, GIVEN_ARN]),
        st.tuples(st.sampled_from(["a", "b"]), STORED),
    )
)
def test_a_plan_applied_leaves_nothing_to_do(
    case: dict[Entry, tuple[str, Stored]],
) -> None:
    wanted = {entry: SecretValue(text) for entry, (text, _) in case.items()}
    before = {
        entry: Stored(exists=True) if entry.given_arn and not stored.exists else stored
        for entry, (_, stored) in case.items()
    }

    plan = plan_values(wanted, before, "dev")
    written = {
        step.name: step.value for step in plan.steps if isinstance(step, PutParameter | PutSecret)
    }
    after = {
        entry: Stored(exists=True, value=written.get(entry.name, stored.value))
        for entry, stored in before.items()
    }

    assert plan_values(wanted, after, "dev").steps == ()


def test_entries_come_in_the_files_order_with_their_full_names() -> None:
    config = parse_config(CONFIG, path=Path("schoolctl.yaml")).resolve("prod").config

    assert [(each.key, each.name, each.hidden) for each in declared(config)] == [
        ("db_host", "/schoolapp/prod/db_host", False),
        ("db_name", "/schoolapp/prod/db_name", False),
        ("db_user", "/schoolapp/prod/db_user", False),
        ("db_password", "schoolapp/prod/db_password", True),
    ]


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    assert find_entry([HOST, PORT], "db_port") is PORT
    with pytest.raises(UsageError, match="did you mean db_host"):
        find_entry([HOST, SECRET], "db_hosts")
