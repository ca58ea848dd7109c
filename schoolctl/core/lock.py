"""The deploy lock of an environment: take it, keep it, confirm it, release it.

Every outcome frees it: success, failure, Ctrl-C. A run that is killed cannot; its lock is taken
over at once on the same host, and elsewhere when it was not renewed for as long as its lease.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import uuid
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.aws.ssm import delete_parameter
from schoolctl.base import interruption
from schoolctl.base.errors import SchoolctlError, UnavailableError
from schoolctl.base.process_mark import has_ended, mark
from schoolctl.base.text import duration
from schoolctl.core.lock_rules import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    SETTLE_SECONDS,
    Found,
    Holder,
    Standing,
    about,
    held_by_another,
    judge,
    lost_to,
    parse_holder,
    render_holder,
    wrong_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.core.lock_rules import AnyLockStep
    from schoolctl.output.reporter import Reporter


_POLL_SECONDS = 2.0
_VANISHED_SECONDS = 0.2
"""How long to leave a lock alone that is there for a write and not for a read."""
_RENEWAL_ENDS_SECONDS = 10.0


@dataclass(frozen=True)
class Terms:
    """The times that a lock keeps to."""

    lease_seconds: int = LEASE_SECONDS
    renew_seconds: float = RENEW_SECONDS
    settle_seconds: float = SETTLE_SECONDS


def this_run(who: str, command: str, now: datetime) -> Holder:
    """Give this process as the holder of a lock."""
    process = mark(os.getpid())
    return Holder(
        id=str(uuid.uuid4()),
        who=who or _user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=process.born if process else "",
        command=command,
        at=now,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return f"user {os.getuid()}"


def apply(step: AnyLockStep, tools: Tools, _outcome: Outcome) -> str:
    """Free a lock by hand: the very one that the user named.

    Raises:
        ConflictError: by now it is another's.
    """
    clients = tools.clients
    found = read_lock(clients, step.name, tools.clock)
    if found is None:
        return "it was free by then"
    if found.holder.id != step.id:
        raise wrong_id(step.name, step.id, found)
    delete_lock(clients, step.name)
    return ""


class DeployLock:
    """One lock, from the first call to the last. `begin` starts taking it, `take` makes sure.

    Args:
        clients: the AWS clients.
        name: the parameter's.
        me: gives this run as a holder; refuses (raises) where nothing may be written, as in a
            wrong account. It is called in another thread, before anything is written.
        clock: the time.
        reporter: where it is told who is waited for, and what went wrong.
        option: what a command needs to name the lock's environment: ` -e prod`, or nothing.
        terms: the times to keep to.
    """

    def __init__(
        self,
        clients: Clients,
        name: str,
        me: Callable[[], Holder],
        *,
        clock: Clock,
        reporter: Reporter,
        option: str = "",
        terms: Terms | None = None,
    ) -> None:
        self.name = name
        self._clients = clients
        self._ask_me = me
        self._me = Holder("")
        self.inherited = ""
        """The goal of the run that this lock was taken over from; see `Holder.goal`."""
        self._clock = clock
        self._reporter = reporter
        self._option = option
        self._terms = terms or Terms()
        self._first: Future[bool] | None = None
        self._may_be_ours = False
        self._written = self._times()
        self._lost: SchoolctlError | None = None
        self._writing = threading.Lock()
        self._freed = threading.Event()

    # Taking it

    def begin(self) -> None:
        """Ask for the lock, beside what the caller does next."""
        self._first = self._clients.start(self._create)

    def take(self, wait_seconds: float = 0) -> None:
        """Hold the lock from here on, until `release`.

        Args:
            wait_seconds: how long to wait for whoever holds it.

        Raises:
            LockHeldError: somebody else holds it.
        """
        if self._first is None:
            self.begin()
        give_up_at = self._clock.monotonic() + wait_seconds
        held = self._first is not None and self._first.result()
        told = ""
        while not held:
            found = self._read()
            standing = self._judge(found)
            self._may_be_ours = standing is Standing.OURS
            if found is None:
                held = self._create()
                if not held:
                    self._clock.sleep(_VANISHED_SECONDS)
            elif standing is Standing.OURS:
                held = True
            elif standing is not Standing.BUSY:
                held = self._take_over(found, standing)
            else:
                left = give_up_at - self._clock.monotonic()
                if left <= 0:
                    raise held_by_another(self.name, found, self._option)
                if found.holder.id != told:
                    told = found.holder.id
                    self._reporter.note(f"waiting for {about(found)}")
                self._clock.sleep(min(_POLL_SECONDS, left))
        threading.Thread(target=self._keep, name="lock", daemon=True).start()

    def _create(self) -> bool:
        if not self._me.id:
            self._me = replace(self._ask_me(), lease_seconds=self._terms.lease_seconds)
        asked = self._times()
        self._may_be_ours = True
        try:
            created = create_lock(self._clients, self.name, self._me)
        except SchoolctlError as error:
            self._may_be_ours = isinstance(error, UnavailableError)
            raise
        self._written = asked
        return created

    def _read(self) -> Found | None:
        return read_lock(self._clients, self.name, self._clock)

    def _judge(self, found: Found | None) -> Standing:
        ended = found is not None and has_ended(found.holder.process)
        return judge(found, self._me, ended=ended)

    def _take_over(self, found: Found, standing: Standing) -> bool:
        """Write over a lock that nobody keeps; says whether it is ours after that."""
        self._reporter.note(f"taking over the deploy lock: {standing.value} ({about(found)})")
        self.inherited = found.holder.goal
        self._me = replace(self._me, goal=self.inherited)
        asked = self._times()
        self._may_be_ours = True
        version = overwrite_lock(self._clients, self.name, self._me)
        if self._give_back(found.version, version):
            return False
        self._clock.sleep(self._terms.settle_seconds)
        self._written = asked
        return self._judge(self._read()) is Standing.OURS

    def _give_back(self, read: int, written: int) -> bool:
        """Put back what was written between our reading and our writing; says whether there was.

        Versions are numbered, and from one on again after a deletion: whoever wrote first has it.
        """
        if written in {1, read + 1}:
            return False
        first = read + 1 if written > read else written - 1
        theirs = read_lock(self._clients, self.name, self._clock, version=first)
        if theirs is None or theirs.holder.id == self._me.id:
            return False  # our own write, whose reply was lost
        overwrite_lock(self._clients, self.name, theirs.holder)
        self._may_be_ours = False
        return True

    # Keeping it

    def _times(self) -> tuple[float, datetime]:
        # A machine that sleeps stops the one clock, and somebody who sets it moves the other.
        return self._clock.monotonic(), self._clock.now()

    def _idle_seconds(self) -> float:
        (then, at), (now, present) = self._written, self._times()
        return max(now - then, (present - at).total_seconds())

    def _keep(self) -> None:
        """Renew the lock until it is freed. Not by the clock: this thread sleeps by itself."""
        while not self._freed.wait(self._terms.renew_seconds):
            try:
                self._renew()
            except SchoolctlError as error:
                self._reporter.detail(f"{error.what}: {error.why}")

    def _renew(self) -> None:
        with self._writing:
            if self._freed.is_set() or self._lost is not None:
                return
            asked = self._times()
            found = self._read()
            if self._judge(found) is not Standing.OURS:
                self._lose(found)
                return
            version = overwrite_lock(self._clients, self.name, self._me)
            if found is not None and self._give_back(found.version, version):
                self._lose(self._read())
                return
            self._written = asked

    def _lose(self, found: Found | None) -> None:
        self._lost = lost_to(self.name, found, self._option)
        self._reporter.warn("the deploy lock is no longer ours; nothing more is begun")

    def declare(self, goal: str) -> None:
        """Write into the lock what this run has set out to do, for whoever takes it over."""
        self._me = replace(self._me, goal=goal)
        self._renew()

    def confirm(self) -> None:
        """Make sure that the lock is still ours, before something is changed.

        Raises:
            BusyError: it is not.
            SchoolctlError: that is not known, and by now somebody else may hold it.
        """
        lease = self._terms.lease_seconds
        if self._lost is None and self._idle_seconds() > lease / 2:
            try:
                self._renew()
            except SchoolctlError:
                if self._idle_seconds() > lease * 0.8:
                    raise
        if self._lost is not None:
            raise self._lost

    # Freeing it

    def release(self) -> None:
        """Free the lock, if it is ours. A failure is a warning: what was done stays done.

        The first Ctrl-C waits for this; after a second one the lock stays.
        """
        self._freed.set()
        try:
            with interruption.undisturbed():
                if interruption.at_once():
                    self._tell_it_stays()
                    return
                if self._first is not None:
                    self._first.exception()  # a call under way may still take it
                if self._may_be_ours:
                    self._delete()
        except KeyboardInterrupt as stop:
            self._tell_it_stays()
            interruption.keep(stop)

    def _tell_it_stays(self) -> None:
        if self._may_be_ours:
            self._reporter.warn(f"the deploy lock {self.name} stays: {self._how_to_free()}")

    def _delete(self) -> None:
        if not self._writing.acquire(timeout=_RENEWAL_ENDS_SECONDS):
            self._warn("AWS did not answer in time")
            return
        try:
            if self._judge(self._read()) is Standing.OURS:
                delete_lock(self._clients, self.name)
        except SchoolctlError as error:
            self._warn(f"{error.what}: {error.why}")
        finally:
            self._writing.release()

    def _warn(self, why: str) -> None:
        self._reporter.warn(f"the deploy lock {self.name} may stay: {why}\n{self._how_to_free()}")

    def _how_to_free(self) -> str:
        return (
            "the next run on this host takes it over, others when its lease has run out in"
            f" {duration(self._terms.lease_seconds)};\n"
            f"`schoolctl{self._option} lock release --id {self._me.id}` frees it now"
        )


_DESCRIPTION = "Held by schoolctl while it deploys; `schoolctl lock show` tells by whom."


def create_lock(clients: Clients, name: str, holder: Holder) -> bool:
    """Write the lock if there is none; says whether it was written.

    False may also mean that it was, and that botocore repeated the call after a lost reply.

    Source: SSM PutParameter without Overwrite: ParameterAlreadyExists.
    """
    with translated(f"take the deploy lock {name}"):
        try:
            clients.ssm.put_parameter(
                Name=name,
                Description=_DESCRIPTION,
                Type="String",
                Value=render_holder(holder),
                Overwrite=False,
            )
        except ClientError as error:
            if is_code(error, "ParameterAlreadyExists"):
                return False
            raise
    return True


def overwrite_lock(clients: Clients, name: str, holder: Holder) -> int:
    """Write the lock whatever is there; gives the number of this version."""
    with translated(f"write the deploy lock {name}"):
        answer = clients.ssm.put_parameter(
            Name=name, Type="String", Value=render_holder(holder), Overwrite=True
        )
    return answer["Version"]


def read_lock(
    clients: Clients, name: str, clock: Clock, *, version: int | None = None
) -> Found | None:
    """Give the lock, or one of its versions, with its age by SSM's own clock; None if it is free.

    The clocks of two hosts may differ by more than a lease: both times are SSM's own, unless
    something between us and AWS takes the `Date` out.

    Source: SSM GetParameter: LastModifiedDate, and the answer's `Date` header.
    """
    with translated(f"read the deploy lock {name}"):
        try:
            answer = clients.ssm.get_parameter(Name=f"{name}:{version}" if version else name)
        except ClientError as error:
            if is_code(error, "ParameterNotFound", "ParameterVersionNotFound"):
                return None
            raise
    found = answer["Parameter"]
    now = _server_time(answer["ResponseMetadata"]["HTTPHeaders"]) or clock.now()
    idle_seconds = (now - found["LastModifiedDate"]).total_seconds()
    return Found(parse_holder(found["Value"]), max(0.0, idle_seconds), now, found["Version"])


def _server_time(headers: Mapping[str, Any]) -> datetime | None:
    try:
        return parsedate_to_datetime(str(headers.get("date", ""))).astimezone(UTC)
    except ValueError:
        return None


def delete_lock(clients: Clients, name: str) -> None:
    """Delete the lock; one that is gone already is no error. Source: SSM DeleteParameter."""
    delete_parameter(clients, name, doing=f"free the deploy lock {name}")
