"""Checks of `doctor`, their verdicts and findings, and the table of findings. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from schoolctl.base.errors import (
    AccessDeniedError,
    SchoolctlError,
    UnavailableError,
    UnknownOperationError,
)
from schoolctl.ecs_service.define.needs import Denied, Gaps
from schoolctl.output.columns import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from schoolctl.doctor.look import Look

T = TypeVar("T")


class Level(StrEnum):
    """How a check ended. SKIP is for one that could tell nothing: another failed, or a read did."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIP = "SKIP"


class Group(StrEnum):
    """What checks are about; `--only` takes one."""

    MACHINE = "machine"
    ACCOUNT = "account"
    IMAGE = "image"
    PARAMETERS = "parameters"
    SERVICE = "service"
    NETWORK = "network"
    PERMISSIONS = "permissions"


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        level: how bad it is.
        what: what was found, one line.
        cure: what to do about it; empty where all is well.
        denied: the action that AWS denied, where that is all it tells.
        blocks: whether a failure keeps the checks that need this one from telling anything.
    """

    level: Level
    what: str
    cure: str = ""
    denied: str = ""
    blocks: bool = True

    @property
    def unseen(self) -> bool:
        """Whether it is no failure, and may stand for a read that told nothing."""
        return self.level is Level.WARN or bool(self.denied)


def ok(what: str) -> Verdict:
    """Return the verdict of a check that found nothing wrong."""
    return Verdict(Level.OK, what)


def warn(what: str, cure: str) -> Verdict:
    """Return the verdict for what works but may not be intended."""
    return Verdict(Level.WARN, what, cure)


def fail(what: str, cure: str, *, blocks: bool = True) -> Verdict:
    """Return the verdict for what makes a build, push, deployment or task fail."""
    return Verdict(Level.FAIL, what, cure, blocks=blocks)


def skip(what: str) -> Verdict:
    """Return the verdict of a check that has no result."""
    return Verdict(Level.SKIP, what)


def of_gaps(look: Callable[[Gaps], object], well: str) -> Verdict:
    """Return the verdict of what `deploy` checks as well: what is missing is a failure.

    Args:
        look: notes in the gaps what is missing.
        well: what to say where nothing is.
    """
    gaps = Gaps()
    refused = look(gaps)
    if gaps.cures:
        what = "; ".join(what for what, _ in gaps.cures)
        return fail(f"missing: {what}", "; ".join(dict.fromkeys(cure for _, cure in gaps.cures)))
    if isinstance(refused, Denied):
        return of_error(refused.error)
    if gaps.warnings:
        return warn("; ".join(gaps.warnings), MAY_READ)
    return ok(well)


MAY_READ = "let a policy of yours allow it: `schoolctl iam policy --for doctor`"


def not_verified(action: str | None) -> Verdict:
    """Return the verdict of a check whose read AWS denied."""
    named = action or "the read"
    return Verdict(Level.WARN, f"not verified: {named} is denied", MAY_READ, named)


def not_seen(action: str | None) -> Verdict:
    """Return the verdict of a check that joins several reads, one of which AWS denied."""
    return replace(not_verified(action), level=Level.SKIP)


def of_error(error: SchoolctlError) -> Verdict:
    """Return the verdict of a check that ended in an error."""
    match error:
        case AccessDeniedError():
            return not_verified(error.action)
        case UnavailableError() | UnknownOperationError():
            return warn(f"not verified: {_told(error)}", error.hint or "run it again")
        case _:
            return fail(_told(error), error.hint or "see what it says")


def _told(error: SchoolctlError) -> str:
    why = error.why.partition("\n")[0]
    return f"{error.what} ({why})" if why else error.what


@dataclass(frozen=True)
class Check(Generic[T]):
    """One check: its row in the table, the observation that it looks at, and its judgement.

    Attributes:
        name: one or two words, unique.
        group: what it is about.
        needs: names of the checks without which it cannot tell anything; they come before it.
        look: starts the observation, or returns the one that is under way. An error of the
            observation is a finding, as one of `judge` is.
        judge: judges what was observed; called by the thread that started the observations.
        skip_if_denied: whether a denied read is SKIP, not WARN: for an observation that joins many.
    """

    name: str
    group: Group
    needs: tuple[str, ...]
    look: Callable[[Look], Future[T]]
    judge: Callable[[Look, T], Verdict]
    skip_if_denied: bool = False

    def verdict(self, look: Look) -> Verdict:
        """Return the verdict, once the observation is there.

        Raises:
            SchoolctlError: what kept the check from looking or judging.
        """
        try:
            seen = self.look(look).result()
        except AccessDeniedError as error:
            if self.skip_if_denied:
                return not_seen(error.action)
            raise
        return self.judge(look, seen)


@dataclass(frozen=True)
class Finding:
    """The verdict of one check; `cause` is the check that kept it from telling anything."""

    name: str
    group: Group
    verdict: Verdict
    cause: str = ""

    def document(self) -> dict[str, object]:
        """Return the finding for `--json`."""
        return {
            "name": self.name,
            "group": self.group.value,
            "level": self.verdict.level.value,
            "what": self.verdict.what,
            "cure": self.verdict.cure or None,
        }


def blocked(needs: Sequence[str], found: Sequence[Finding]) -> str | None:
    """Return the first failed check that blocks another; None if nothing blocks it.

    What was skipped because something could not be seen is not in the way: the other check may
    not need to see that. Where it does, it finds the same refusal.
    """
    by_name = {each.name: each for each in found}
    for need in needs:
        there = by_name[need]
        root = by_name[there.cause or there.name]
        if there.verdict.level is Level.SKIP and not root.verdict.unseen:
            return root.name
        if there.verdict.level is Level.FAIL and there.verdict.blocks:
            return there.name
    return None


def skipped(cause: str, found: Sequence[Finding]) -> Verdict:
    """Return the verdict of a check that another one blocks."""
    verdict = next(each.verdict for each in found if each.name == cause)
    return skip(f"{cause} {'could not be verified' if verdict.unseen else 'failed'}")


def carry_out(checks: Sequence[Check[Any]], look: Look, only: Group | None = None) -> list[Finding]:
    """Return the findings of checks: all observations start at once, the judging is in order.

    Args:
        checks: each after those that it needs.
        look: what they look at.
        only: a group; what its checks need is checked as well, and left out of the findings.
    """
    wanted = _wanted(checks, only)
    _begin(look, wanted)
    found: list[Finding] = []
    told: dict[str, str] = {}
    for check in wanted:
        cause = blocked(check.needs, found)
        if cause is None:
            verdict, reason = _verdict(look, check)
            cause = told.get(reason)
            if reason and only in {None, check.group}:
                told.setdefault(reason, check.name)
            if cause is None:
                found.append(Finding(check.name, check.group, verdict))
                continue
        found.append(Finding(check.name, check.group, skipped(cause, found), cause))
    return [each for each in found if only in {None, each.group}]


def _begin(look: Look, wanted: Sequence[Check[Any]]) -> None:
    for check in wanted:
        try:
            check.look(look)
        except SchoolctlError:
            continue  # the check meets the same error when it is judged


def _wanted(checks: Sequence[Check[Any]], only: Group | None) -> Sequence[Check[Any]]:
    if only is None:
        return checks
    names = {check.name for check in checks if check.group is only}
    for check in reversed(checks):  # what a check needs stands before it
        if check.name in names:
            names |= set(check.needs)
    return [check for check in checks if check.name in names]


def _verdict(look: Look, check: Check[Any]) -> tuple[Verdict, str]:
    """Return what a check finds, and why it could not look; empty if it could."""
    try:
        verdict = check.verdict(look)
    except SchoolctlError as error:
        verdict = of_error(look.run.first_cause(error))
        return verdict, verdict.denied or verdict.what
    return verdict, verdict.denied


def counts(found: Sequence[Finding]) -> dict[Level, int]:
    """Return the number of checks at each level."""
    return {level: sum(each.verdict.level is level for each in found) for level in Level}


def lines(found: Sequence[Finding], width: int | None = None) -> list[str]:
    """Return the findings as lines: by group, each with its cure, then the counts.

    A cure is not folded, so that a command can be copied.

    Args:
        found: in the order of the table.
        width: of the terminal; None is without end.
    """
    told: list[str] = []
    rows = [(each.verdict.level.value, each.name, each.verdict.what) for each in found]
    # Aligned over all groups: the columns are those of one table.
    names = max((len(each.name) for each in found), default=0)
    for group in dict.fromkeys(each.group for each in found):
        told.append(group.value)
        for each, (level, name, what) in zip(found, rows, strict=True):
            if each.group is not group:
                continue
            cells = (f"  {level:<4}", name.ljust(names), what)
            told += aligned([cells], right=(False, False, False), width=width)
            told += [f"        cure: {line}" for line in each.verdict.cure.splitlines()]
    number = counts(found)
    told += ["", ", ".join(f"{number[level]} {level.value}" for level in Level)]
    return told
