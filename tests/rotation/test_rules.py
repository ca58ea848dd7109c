"""Which steps rotate a secret, from whatever state an earlier rotation left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ConfigError, ConflictError, NotFoundError, SchoolctlError
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.values import SecretInfo, SecretValue
from schoolctl.params.rules import Entry, Kind, staged_version
from schoolctl.params.secret_shape import with_new_password
from schoolctl.rotation.cli import new_password
from schoolctl.rotation.rules import (
    Rotation,
    plan_end,
    plan_managed,
    plan_rotation,
    refuse_unrotatable,
    was_seen_through,
)
from schoolctl.rotation.steps import StageSecret
from tests.worlds.answers import NETWORK
from tests.worlds.scenes import COMPLETED, OLD, deployment, service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.base.plan import Plan

ROTATION = Rotation(
    Entry("db_password", Kind.SECRET, "a/b/db_password"), ("python", "-m", "rotate"), "new"
)
CURRENT = {"one": ("AWSCURRENT",)}
STAGED = {**CURRENT, "two": ("AWSPENDING",)}
STAGE = "stage a new random password in secret s (AWSPENDING)"
RUN = f"run the rotation command `python -m rotate` on {OLD}"
PROMOTE = "make the staged password the current one of secret s (AWSCURRENT)"
END = "take the label AWSPENDING off secret s"


def secret(stages: Mapping[str, tuple[str, ...]], **more: object) -> SecretInfo:
    return replace(SecretInfo("s", "arn", None, stages=stages), **more)  # type: ignore[arg-type]


def plan(stages: Mapping[str, tuple[str, ...]]) -> Plan:
    found = secret(stages)
    state = service(deployment(state=COMPLETED, running=2))
    state = replace(state, settings={**state.settings, "networkConfiguration": NETWORK})
    value = None if staged_version(found) else SecretValue("canary")
    return plan_rotation(ROTATION, found, value, state, OLD, "web")


@pytest.mark.parametrize(
    ("stages", "steps"),
    [
        (CURRENT, [STAGE, RUN, PROMOTE, END]),
        (STAGED, [RUN, PROMOTE, END]),
        # The label that another rotation left behind is not a password to go on with.
        ({"one": ("AWSCURRENT", "AWSPENDING")}, [END, STAGE, RUN, PROMOTE, END]),
        ({"two": ("AWSCURRENT",), "one": ("AWSPENDING", "AWSPREVIOUS")},
         [END, STAGE, RUN, PROMOTE, END]),
    ],
)  # fmt: skip
def test_a_rotation_goes_on_from_where_the_last_one_ended(
    stages: Mapping[str, tuple[str, ...]], steps: list[str]
) -> None:
    assert [each.describe() for each in plan(stages).steps] == steps


def test_a_staged_password_is_used_and_not_replaced() -> None:
    assert not any(isinstance(each, StageSecret) for each in plan(STAGED).steps)
    assert "this run goes on with it" in plan(STAGED).notes[0]


def test_the_command_runs_alone_and_must_succeed() -> None:
    [step] = [each for each in plan(CURRENT).steps if isinstance(each, RunTask)]
    assert (step.alone, step.must_succeed, step.network) == (True, True, NETWORK)


def test_the_password_is_in_no_form_of_the_plan() -> None:
    shown = repr(plan(CURRENT)) + "".join(each.describe() for each in plan(CURRENT).steps)
    assert "canary" not in shown


def test_a_service_without_a_network_is_told_of() -> None:
    state = service(deployment(state=COMPLETED))
    with pytest.raises(NotFoundError, match="no network configuration"):
        plan_rotation(ROTATION, secret(CURRENT), SecretValue("x"), state, OLD, "web")


@pytest.mark.parametrize("more", [{"owner": "rds"}, {"rotates": True}])
def test_what_aws_rotates_is_left_to_aws(more: dict[str, object]) -> None:
    planned = plan_managed(ROTATION, secret(CURRENT, **more))
    assert [each.describe() for each in planned.steps] == [
        "have Secrets Manager rotate secret s now (RotateSecret)",
        "wait until its new password is the current one (at most 900 s)",
    ]
    assert "manages this secret" in planned.notes[0]


def test_a_rotation_of_aws_that_goes_on_is_waited_for() -> None:
    planned = plan_managed(ROTATION, secret(STAGED, owner="rds"))
    assert [each.describe() for each in planned.steps] == [
        "wait until its new password is the current one (at most 900 s)"
    ]


def test_what_a_killed_run_made_current_is_not_rotated_again() -> None:
    found = secret({"two": ("AWSCURRENT", "AWSPENDING"), "one": ("AWSPREVIOUS",)})
    rotation = replace(ROTATION, unfinished="two")
    assert was_seen_through(rotation, found)
    assert not was_seen_through(ROTATION, found)
    assert [each.describe() for each in plan_end(rotation, found).steps] == [END]
    assert plan_end(rotation, secret({"two": ("AWSCURRENT",)})).steps == ()


@pytest.mark.parametrize(
    ("found", "command", "error", "text"),
    [
        (None, ("x",), NotFoundError, "does not exist"),
        (secret({}), ("x",), NotFoundError, "has no value yet"),
        (secret(CURRENT, deleted_at=datetime(2026, 11, 9, tzinfo=UTC)), ("x",), ConflictError,
         "scheduled for deletion"),
        (secret(CURRENT), None, ConfigError, "does not say how the database gets a new password"),
    ],
)  # fmt: skip
def test_what_cannot_be_rotated_is_refused_with_a_cure(
    found: SecretInfo | None,
    command: tuple[str, ...] | None,
    error: type[SchoolctlError],
    text: str,
) -> None:
    with pytest.raises(error, match=text) as caught:
        refuse_unrotatable(replace(ROTATION, command=command), found)
    assert "nothing was changed" in caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize(
    ("stored", "shaped"),
    [
        ("old", "new"),
        ('{"username": "u", "password": "old", "host": "h"}',
         '{"username": "u", "password": "new", "host": "h"}'),
        ('"a text in quotes"', "new"),
        ("12345", "new"),
    ],
)  # fmt: skip
def test_the_secret_keeps_its_shape(stored: str, shaped: str) -> None:
    found = with_new_password(SecretValue(stored), SecretValue("new"))
    assert found.reveal() == shaped


@pytest.mark.parametrize("stored", ['{"pass": "old"}', '{"password": 7}', "{}"])
def test_an_object_whose_password_cannot_be_told_is_refused(stored: str) -> None:
    with pytest.raises(ConflictError, match='without a text "password"'):
        with_new_password(SecretValue(stored), SecretValue("new"))


def test_a_new_password_has_every_kind_of_character_and_none_that_rds_refuses() -> None:
    made = {new_password().reveal() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        assert len(text) == 40
        assert not set(text) & set("/@\" '\\%{}$")
        assert any(map(str.islower, text))
        assert any(map(str.isupper, text))
        assert any(map(str.isdigit, text))
        assert set(text) & set("-_.~")
