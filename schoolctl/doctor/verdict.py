"""What a check of `doctor` finds, and how findings depend on each other and are told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from schoolctl.base.errors import AccessDeniedError, UnavailableError, UnknownOperationError
from schoolctl.ecs_service.define.needs import Denied, Gaps
from schoolctl.output.columns import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schoolctl.base.errors import SchoolctlError


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
    """Give the verdict of a check that found all well."""
    return Verdict(Level.OK, what)


def warn(what: str, cure: str) -> Verdict:
    """Give the verdict for what works, and may not be meant."""
    return Verdict(Level.WARN, what, cure)


def fail(what: str, cure: str, *, blocks: bool = True) -> Verdict:
    """Give the verdict for what makes a build, push, deployment or task fail."""
    return Verdict(Level.FAIL, what, cure, blocks=blocks)


def skip(what: str) -> Verdict:
    """Give the verdict of a check that could not tell anything."""
    return Verdict(Level.SKIP, what)


def of_gaps(look: Callable[[Gaps], object], well: str) -> Verdict:
    """Give the verdict of what `deploy` checks, too: what is missing is a failure.

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
    """Give the verdict of a check whose read AWS refused."""
    named = action or "the read"
    return Verdict(Level.WARN, f"not verified: {named} is denied", MAY_READ, named)


def not_seen(action: str | None) -> Verdict:
    """Give the verdict of a check that several reads make, one of which AWS refused."""
    return replace(not_verified(action), level=Level.SKIP)


def of_error(error: SchoolctlError) -> Verdict:
    """Give the verdict of a check that ended in an error: of a denial, only that it was one."""
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
class Finding:
    """The verdict of one check; `cause` is the check that kept it from telling anything."""

    name: str
    group: Group
    verdict: Verdict
    cause: str = ""

    def document(self) -> dict[str, object]:
        """Give the finding for `--json`."""
        return {
            "name": self.name,
            "group": self.group.value,
            "level": self.verdict.level.value,
            "what": self.verdict.what,
            "cure": self.verdict.cure or None,
        }


def blocked(needs: Sequence[str], found: Sequence[Finding]) -> str | None:
    """Give the first check that failed on the way to another; None where nothing is in its way.

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
    """Give the verdict of a check that another one kept from telling anything."""
    verdict = next(each.verdict for each in found if each.name == cause)
    return skip(f"{cause} {'could not be verified' if verdict.unseen else 'failed'}")


def counts(found: Sequence[Finding]) -> dict[Level, int]:
    """Give how many checks ended in which way."""
    return {level: sum(each.verdict.level is level for each in found) for level in Level}


def lines(found: Sequence[Finding], width: int | None = None) -> list[str]:
    """Give the findings as lines: by group, each cure below what it cures, the counts at the end.

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
