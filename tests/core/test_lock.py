"""The deploy lock on SSM: who gets it, who keeps it, and what a lost reply changes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.base.errors import AccessDeniedError, BusyError, UnavailableError
from schoolctl.base.process_mark import mark
from schoolctl.core.lock import DeployLock, Terms, this_run
from schoolctl.core.lock_rules import Holder, LockHeldError, parse_holder, render_holder
from schoolctl.output.reporter import Reporter
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws

NAME = "/schoolctl/schoolapp/dev/lock"
NEVER = Terms(renew_seconds=3600)
ELSEWHERE = Holder("theirs", who="ann", host="far", pid=7, started="b:n:1", command="deploy")


def connect(endpoint_url: str) -> Clients:
    return Clients(
        Connection(Setting(None, "x"), Setting("us-east-1", "x"), Setting(endpoint_url, "x"))
    )


@pytest.fixture
def clients(faults: Faults) -> Iterator[Clients]:
    made = connect(faults.endpoint_url)
    yield made
    made.close()


class Desk:
    """Locks of runs of their own, each with a clock and an output."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.clock = FakeClock()
        self.stderr = io.StringIO()

    def lock(self, terms: Terms = NEVER, **me: Any) -> DeployLock:
        holder = replace(this_run("bob", "schoolctl deploy", self.clock.now()), **me)
        return DeployLock(
            self.clients,
            NAME,
            lambda: holder,
            clock=self.clock,
            reporter=Reporter(stderr=self.stderr),
            terms=terms,
        )


@pytest.fixture
def desk(clients: Clients) -> Desk:
    return Desk(clients)


def put(aws: Aws, value: str) -> None:
    aws.client("ssm").put_parameter(Name=NAME, Value=value, Type="String", Overwrite=True)


def holder(aws: Aws) -> Holder | None:
    found = aws.client("ssm").get_parameters(Names=[NAME])["Parameters"]
    return parse_holder(found[0]["Value"]) if found else None


def ended_process() -> Holder:
    """Give a holder of this machine whose process has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        born = mark(child.pid)
        assert born is not None
    return replace(
        this_run("ann", "schoolctl deploy", datetime.now(UTC)), pid=born.pid, started=born.born
    )


# One at a time


def test_it_takes_three_small_calls(aws: Aws, desk: Desk, faults: Faults) -> None:
    lock = desk.lock()
    lock.take()
    assert holder(aws) is not None
    lock.release()
    assert faults.calls == ["PutParameter", "GetParameter", "DeleteParameter"]
    assert holder(aws) is None


def test_the_second_is_turned_away_and_changes_nothing(aws: Aws, desk: Desk) -> None:
    first, second = desk.lock(id="first"), desk.lock(id="second")
    first.take()
    with pytest.raises(LockHeldError, match="bob holds the deploy lock"):
        second.take()
    second.release()
    kept = holder(aws)
    assert kept is not None
    assert kept.id == "first"


def test_of_sixteen_at_once_one_gets_it(aws: Aws, desk: Desk, faults: Faults) -> None:
    # The first write is carried out, and nobody hears of it.
    faults.lose_reply("PutParameter")
    locks = [desk.lock(id=f"run-{number}") for number in range(16)]
    start = threading.Barrier(len(locks))
    won: list[str] = []
    refused: list[BaseException] = []

    def race(lock: DeployLock, name: str) -> None:
        start.wait()
        try:
            lock.take()
        except LockHeldError as error:
            refused.append(error)
        else:
            won.append(name)

    threads = [
        threading.Thread(target=race, args=(lock, f"run-{number}"))
        for number, lock in enumerate(locks)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    kept = holder(aws)
    assert kept is not None
    assert won == [kept.id]
    assert len(refused) == 15


def test_its_own_write_whose_reply_was_lost_is_its_own(
    aws: Aws, desk: Desk, faults: Faults
) -> None:
    faults.lose_reply("PutParameter")
    lock = desk.lock()
    lock.take()
    lock.release()
    assert faults.calls == [
        "PutParameter",
        "PutParameter",
        "GetParameter",
        "GetParameter",
        "DeleteParameter",
    ]
    assert holder(aws) is None


def test_a_lost_reply_to_freeing_it_is_no_failure(aws: Aws, desk: Desk, faults: Faults) -> None:
    lock = desk.lock()
    lock.take()
    faults.lose_reply("DeleteParameter")
    lock.release()
    assert holder(aws) is None
    assert desk.stderr.getvalue() == ""


# Taking it over


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over(aws: Aws, desk: Desk) -> None:
    put(aws, render_holder(ended_process()))
    desk.lock(id="mine").take()
    kept = holder(aws)
    assert kept is not None
    assert kept.id == "mine"
    assert desk.clock.slept == [2.0]
    assert "taking over the deploy lock: its process is dead (ann on" in desk.stderr.getvalue()


def test_a_process_that_runs_is_not_dead(aws: Aws, desk: Desk) -> None:
    put(aws, render_holder(this_run("ann", "schoolctl deploy", datetime.now(UTC))))
    with pytest.raises(LockHeldError):
        desk.lock().take()


def test_another_process_under_the_same_number_is_not_the_holder(aws: Aws, desk: Desk) -> None:
    mine = this_run("ann", "schoolctl deploy", datetime.now(UTC))
    put(aws, render_holder(replace(mine, started=f"{mine.started}0")))
    desk.lock(id="mine").take()
    kept = holder(aws)
    assert kept is not None
    assert kept.id == "mine"


@pytest.mark.parametrize(
    "other", [{"host": "far"}, {"started": "another-boot:4026531836:7"}], ids=["host", "boot"]
)
def test_a_dead_process_of_another_machine_is_not_taken_for_dead(
    aws: Aws, desk: Desk, other: dict[str, Any]
) -> None:
    put(aws, render_holder(replace(ended_process(), **other)))
    with pytest.raises(LockHeldError):
        desk.lock().take()


def test_damaged_content_is_a_lock_all_the_same(aws: Aws, desk: Desk) -> None:
    put(aws, "what is this?")
    with pytest.raises(LockHeldError, match="somebody unknown"):
        desk.lock().take()
    assert aws.client("ssm").get_parameter(Name=NAME)["Parameter"]["Value"] == "what is this?"


def ssm_says(value: str, *, idle_seconds: float, version: int = 1) -> dict[str, Any]:
    written = datetime.now(UTC) - timedelta(seconds=idle_seconds)
    return {
        "Parameter": {
            "Name": NAME,
            "Value": value,
            "Version": version,
            "LastModifiedDate": written.timestamp(),
        }
    }


EXISTS = Refusal("ParameterAlreadyExists")


def test_a_lease_that_ran_out_by_ssms_own_clock_is_taken_over(scripted: ScriptedAws) -> None:
    # Our own clock is weeks behind: it is not asked.
    desk = Desk(connect(scripted.endpoint_url))
    written: list[str] = []

    def write(request: dict[str, Any]) -> dict[str, Any]:
        written.append(request["Value"])
        return {"Version": 2}

    scripted.answer("PutParameter", EXISTS, write)
    scripted.answer("GetParameter", ssm_says(render_holder(ELSEWHERE), idle_seconds=310))
    scripted.answer("GetParameter", lambda _: ssm_says(written[-1], idle_seconds=2, version=2))
    desk.lock(id="mine").take()
    assert [parse_holder(each).id for each in written] == ["mine"]
    assert "its lease ran out" in desk.stderr.getvalue()


def test_a_lock_that_is_renewed_stands_however_old_it_is(scripted: ScriptedAws) -> None:
    desk = Desk(connect(scripted.endpoint_url))
    old = replace(ELSEWHERE, at=datetime.now(UTC) - timedelta(days=2))
    scripted.answer("PutParameter", EXISTS)
    scripted.answer("GetParameter", ssm_says(render_holder(old), idle_seconds=50))
    with pytest.raises(LockHeldError, match="ann holds"):
        desk.lock().take()


def test_who_takes_over_and_is_written_over_lets_go(scripted: ScriptedAws) -> None:
    desk = Desk(connect(scripted.endpoint_url))
    other = replace(ELSEWHERE, id="faster")
    scripted.answer("PutParameter", EXISTS, {"Version": 2})
    scripted.answer("GetParameter", ssm_says(render_holder(ELSEWHERE), idle_seconds=310))
    scripted.answer("GetParameter", ssm_says(render_holder(other), idle_seconds=1, version=3))
    with pytest.raises(LockHeldError) as refused:
        desk.lock().take()
    assert refused.value.document()["holder"] == other.document()


def test_what_another_wrote_meanwhile_is_put_back(aws: Aws, desk: Desk, faults: Faults) -> None:
    put(aws, render_holder(ended_process()))
    faults.pass_on("PutParameter")
    faults.before("PutParameter", lambda: put(aws, render_holder(ELSEWHERE)))
    mine = desk.lock(id="mine")
    with pytest.raises(LockHeldError) as refused:
        mine.take()
    mine.release()
    assert refused.value.document()["holder"] == ELSEWHERE.document()
    assert holder(aws) == ELSEWHERE


def test_what_another_took_meanwhile_is_put_back(aws: Aws, desk: Desk, faults: Faults) -> None:
    def free_and_take() -> None:
        aws.client("ssm").delete_parameter(Name=NAME)
        put(aws, render_holder(ELSEWHERE))

    for _ in range(3):
        put(aws, render_holder(ended_process()))
    faults.pass_on("PutParameter")
    faults.before("PutParameter", free_and_take)
    with pytest.raises(LockHeldError):
        desk.lock(id="mine").take()
    assert holder(aws) == ELSEWHERE


def test_a_take_over_whose_reply_was_lost_is_its_own(aws: Aws, desk: Desk, faults: Faults) -> None:
    put(aws, render_holder(ended_process()))
    faults.pass_on("PutParameter")
    faults.lose_reply("PutParameter")
    desk.lock(id="mine").take()
    kept = holder(aws)
    assert kept is not None
    assert kept.id == "mine"


def test_of_sixteen_that_take_over_at_most_one_goes_on(aws: Aws, desk: Desk) -> None:
    put(aws, render_holder(ended_process()))
    locks = [desk.lock(Terms(renew_seconds=3600), id=f"run-{number}") for number in range(16)]
    start = threading.Barrier(len(locks))
    won: list[str] = []

    def race(lock: DeployLock, name: str) -> None:
        start.wait()
        try:
            lock.take()
        except LockHeldError:
            return
        won.append(name)

    threads = [
        threading.Thread(target=race, args=(lock, f"run-{number}"))
        for number, lock in enumerate(locks)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(won) <= 1


# Waiting for it


def test_it_waits_as_long_as_it_was_told_and_names_whom_for(aws: Aws, desk: Desk) -> None:
    put(aws, render_holder(ELSEWHERE))
    with pytest.raises(LockHeldError):
        desk.lock().take(wait_seconds=7)
    assert desk.clock.slept == [2, 2, 2, 1]
    assert desk.stderr.getvalue() == "waiting for ann on far, pid 7: deploy\n"


def test_it_goes_on_once_the_lock_is_free_and_tells_of_a_new_holder(
    aws: Aws, desk: Desk, faults: Faults
) -> None:
    put(aws, render_holder(ELSEWHERE))
    other = replace(ELSEWHERE, id="second", who="eve")
    faults.pass_on("GetParameter")
    faults.before("GetParameter", lambda: put(aws, render_holder(other)))
    faults.before("GetParameter", lambda: aws.client("ssm").delete_parameter(Name=NAME))
    desk.lock(id="mine").take(wait_seconds=60)
    kept = holder(aws)
    assert kept is not None
    assert kept.id == "mine"
    assert desk.stderr.getvalue().splitlines() == [
        "waiting for ann on far, pid 7: deploy",
        "waiting for eve on far, pid 7: deploy",
    ]


# Keeping it


def test_it_is_renewed_while_it_is_held(aws: Aws, desk: Desk, faults: Faults) -> None:
    renewed = threading.Event()
    faults.pass_on("PutParameter")
    faults.before("PutParameter", renewed.set)
    lock = desk.lock(Terms(renew_seconds=0.05))
    lock.take()
    assert renewed.wait(10)
    lock.release()
    assert holder(aws) is None


def test_after_it_was_freed_it_is_not_written_again(aws: Aws, desk: Desk, faults: Faults) -> None:
    lock = desk.lock(Terms(renew_seconds=0.01))
    reading = threading.Event()
    go_on = threading.Event()

    def pause() -> None:
        reading.set()
        go_on.wait(10)

    faults.before("GetParameter", pause)
    lock.take()
    assert reading.wait(10)
    freeing = threading.Thread(target=lock.release)
    freeing.start()
    go_on.set()
    freeing.join()
    assert holder(aws) is None


def test_it_is_not_asked_about_while_it_was_renewed_lately(desk: Desk, faults: Faults) -> None:
    lock = desk.lock()
    lock.take()
    desk.clock.advance(100)
    lock.confirm()
    assert faults.calls == ["PutParameter"]


def test_after_a_long_silence_it_is_renewed_before_anything_is_changed(
    desk: Desk, faults: Faults
) -> None:
    lock = desk.lock()
    lock.take()
    desk.clock.advance(200)
    lock.confirm()
    assert faults.calls == ["PutParameter", "GetParameter", "PutParameter"]


@pytest.mark.parametrize("now", [render_holder(ELSEWHERE), None], ids=["taken", "freed"])
def test_a_run_that_lost_it_changes_nothing_more(aws: Aws, desk: Desk, now: str | None) -> None:
    lock = desk.lock()
    lock.take()
    if now is None:
        aws.client("ssm").delete_parameter(Name=NAME)
    else:
        put(aws, now)
    desk.clock.advance(200)
    with pytest.raises(BusyError, match="was lost on the way"):
        lock.confirm()
    lock.release()
    assert holder(aws) == (parse_holder(now) if now else None)


def test_a_renewal_that_came_after_anothers_take_over_is_taken_back(
    aws: Aws, desk: Desk, faults: Faults
) -> None:
    lock = desk.lock()
    lock.take()
    desk.clock.advance(200)
    faults.before("PutParameter", lambda: put(aws, render_holder(ELSEWHERE)))
    with pytest.raises(LockHeldError, match="was lost on the way"):
        lock.confirm()
    lock.release()
    assert holder(aws) == ELSEWHERE


def test_a_renewal_whose_reply_was_lost_is_its_own(aws: Aws, desk: Desk, faults: Faults) -> None:
    lock = desk.lock(id="mine")
    lock.take()
    desk.clock.advance(200)
    faults.lose_reply("PutParameter")
    lock.confirm()
    found = holder(aws)
    assert found is not None
    assert found.id == "mine"


def test_where_nobody_knows_whose_it_is_nothing_is_changed(desk: Desk, faults: Faults) -> None:
    lock = desk.lock()
    lock.take()
    faults.answer_always("GetParameter", "ThrottlingException", "Rate exceeded")
    desk.clock.advance(200)
    lock.confirm()  # the lease is good for a minute and a half yet
    desk.clock.advance(60)
    with pytest.raises(UnavailableError):
        lock.confirm()
    faults.heal()


# Failures


def test_a_denied_write_names_the_action(desk: Desk, faults: Faults) -> None:
    faults.deny("PutParameter", "ssm:PutParameter")
    lock = desk.lock()
    with pytest.raises(AccessDeniedError, match="take the deploy lock") as denied:
        lock.take()
    assert denied.value.action == "ssm:PutParameter"
    lock.release()
    assert faults.calls == ["PutParameter"]


def test_a_lock_that_cannot_be_freed_is_a_warning(desk: Desk, faults: Faults) -> None:
    lock = desk.lock(id="mine")
    lock.take()
    faults.deny("DeleteParameter", "ssm:DeleteParameter")
    lock.release()
    told = desk.stderr.getvalue()
    assert told.startswith(f"warning: the deploy lock {NAME} may stay: could not free")
    assert "`schoolctl lock release --id mine`" in told


def test_this_process_is_told_from_others() -> None:
    me = this_run("", "schoolctl deploy", datetime.now(UTC))
    assert me.pid == os.getpid()
    assert me.started.count(":") == 2
    assert me.who
    assert this_run("", "", datetime.now(UTC)).id != me.id
