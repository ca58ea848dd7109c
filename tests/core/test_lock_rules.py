"""The deploy lock, pure: who may go on, what is written, what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schoolctl.base.errors import ConflictError, ExitCode
from schoolctl.core.lock_rules import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Found,
    Holder,
    Standing,
    held_by_another,
    judge,
    lost_to,
    parse_holder,
    plan_free,
    render_holder,
    shown,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANN = Holder(
    "id-of-ann",
    who="arn:aws:iam::123456789012:user/ann",
    host="build-7",
    pid=4711,
    started="boot:namespace:99",
    command="schoolctl deploy --tag 1.4",
    at=NOW - timedelta(seconds=200),
    goal="schoolapp-backend:7",
)
ME = Holder("mine", host="build-7")


def found(holder: Holder = ANN, idle_seconds: float = 20) -> Found:
    return Found(holder, idle_seconds, NOW, version=1)


@pytest.mark.parametrize(
    ("lock", "ended", "standing"),
    [
        (None, False, Standing.FREE),
        (found(replace(ANN, id="mine")), False, Standing.OURS),
        (found(replace(ANN, id="mine"), LEASE_SECONDS + 1), False, Standing.OURS),
        (found(), False, Standing.BUSY),
        (found(), True, Standing.DEAD),
        (found(replace(ANN, host="build-8")), True, Standing.BUSY),
        (found(ANN, LEASE_SECONDS), False, Standing.BUSY),
        (found(ANN, LEASE_SECONDS + 1), False, Standing.RAN_OUT),
        (found(replace(ANN, host="build-8"), LEASE_SECONDS + 1), False, Standing.RAN_OUT),
        (found(replace(ANN, lease_seconds=30), 31), False, Standing.RAN_OUT),
        (found(replace(ANN, at=NOW - timedelta(days=3))), False, Standing.BUSY),
        (found(replace(ANN, at=NOW + timedelta(days=3)), 400), False, Standing.RAN_OUT),
        (found(parse_holder("damaged")), True, Standing.BUSY),
        (found(parse_holder("damaged"), LEASE_SECONDS + 1), True, Standing.RAN_OUT),
    ],
    ids=[
        "no lock",
        "our own write",
        "our own write, old",
        "alive here",
        "dead here",
        "a process of another host is not seen to be dead",
        "at the end of its lease",
        "past its lease",
        "past its lease elsewhere",
        "the lease is the holder's",
        "taken long ago, and renewed",
        "its clock is ahead, and it is not renewed",
        "damaged",
        "damaged and not renewed",
    ],
)
def test_a_lock_is_taken_over_only_when_nobody_keeps_it(
    *, lock: Found | None, ended: bool, standing: Standing
) -> None:
    assert judge(lock, ME, ended=ended) is standing


def test_four_renewals_may_fail_before_the_lease_runs_out() -> None:
    assert 4 * RENEW_SECONDS < LEASE_SECONDS


def test_what_is_written_is_what_is_read() -> None:
    assert parse_holder(render_holder(ANN)) == ANN


def test_the_value_fits_a_parameter_and_holds_no_reference() -> None:
    value = render_holder(replace(ANN, command="{{ssm:x}}" * 1000, who="w" * 9000))
    assert len(value.encode()) < 4096
    assert "{{" not in value


@pytest.mark.parametrize(
    "text", ["", "held", "null", "[1]", "{}", '{"id": ""}', '{"id": 7}', "[" * 100_000]
)
def test_damaged_content_is_a_holder_of_whom_nothing_is_known(text: str) -> None:
    holder = parse_holder(text)
    assert holder.id.startswith("unknown-")
    assert (holder.host, holder.pid, holder.lease_seconds) == ("", 0, LEASE_SECONDS)
    assert parse_holder(text) == holder


@pytest.mark.parametrize(
    "damage",
    [
        {"lease_seconds": 10**9},
        {"lease_seconds": -1},
        {"lease_seconds": "long"},
        {"lease_seconds": True},
        {"pid": -1},
        {"pid": 2**70},
        {"at": "yesterday"},
        {"at": 7},
        {"who": None},
    ],
    ids=str,
)
def test_one_damaged_value_leaves_the_others(damage: dict[str, object]) -> None:
    holder = parse_holder(json.dumps({**json.loads(render_holder(ANN)), **damage}))
    assert holder.id == ANN.id
    assert holder.command == ANN.command
    assert 0 < holder.lease_seconds <= 3600
    assert 0 <= holder.pid < 2**31


def test_who_is_turned_away_reads_who_holds_it_and_how_to_go_on() -> None:
    error = held_by_another("/schoolctl/shop/dev/lock", found())
    assert error.exit_code == ExitCode.BUSY
    told = f"{error.what}\n{error.why}\n{error.hint}"
    for part in (
        "/schoolctl/shop/dev/lock",
        "user/ann",
        "build-7, pid 4711",
        "3 m 20 s ago",
        "schoolctl deploy --tag 1.4",
        "--lock-wait SECONDS",
        "`schoolctl lock show`",
        "`schoolctl lock release --id id-of-ann`",
        "4 m 40 s",
    ):
        assert part in told
    assert error.document()["holder"] == ANN.document()


def test_a_lock_that_was_lost_names_whoever_has_it_now() -> None:
    assert "build-7" in lost_to("/lock", found()).why
    assert lost_to("/lock", None).exit_code == ExitCode.BUSY


def test_only_the_lock_that_was_named_is_freed() -> None:
    with pytest.raises(ConflictError, match="id is not other"):
        plan_free("/lock", found(), "other", here=False, ended=False)
    plan = plan_free("/lock", found(), ANN.id, here=False, ended=False)
    assert plan.deletes
    assert [each.describe() for each in plan.steps] == ["free the deploy lock /lock"]
    assert plan_free("/lock", None, "any", here=False, ended=False).steps == ()


@pytest.mark.parametrize(
    ("here", "ended", "idle_seconds", "warning"),
    [
        (True, False, 20, "that run is still at work here (pid 4711)"),
        (False, False, 20, "that run may still be at work: if it is, it stops before its next"),
        (True, True, 20, ""),
        (False, False, 400, ""),
    ],
)
def test_freeing_the_lock_of_a_run_that_may_live_is_warned_of(
    *, here: bool, ended: bool, idle_seconds: float, warning: str
) -> None:
    plan = plan_free("/lock", found(ANN, idle_seconds), ANN.id, here=here, ended=ended)
    assert "\n".join(plan.warnings).startswith(warning)
    assert bool(plan.warnings) == bool(warning)


def test_a_lock_is_shown_with_its_state() -> None:
    document, lines = shown("/lock", found(), ended=False)
    assert (document["held"], document["state"]) == (True, "busy")
    assert "state   busy; unless it is renewed, it runs out in 4 m 40 s" in lines
    assert shown("/lock", None, ended=False) == (
        {"lock": "/lock", "held": False},
        ["nobody holds /lock"],
    )
    dead = shown("/lock", found(), ended=True)[0]
    assert dead["state"] == "its process is dead"
