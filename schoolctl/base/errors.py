"""Errors and exit codes: what happened, why, and what to do."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class ExitCode(IntEnum):
    """The exit codes that scripts may rely on; docs/commands.md lists them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    ROLLOUT = 3
    BUSY = 4
    WRONG_TARGET = 5
    CREDENTIALS = 6
    TIMED_OUT = 7
    DIFFERENCES = 10
    NEVER_RAN = 125
    INTERRUPTED = 130
    TERMINATED = 143


class SchoolctlError(Exception):
    """An expected failure, in the three sentences that the user reads.

    Args:
        what: what happened, naming the thing and its place.
        why: the cause, in AWS's or Docker's own words where they are the best there are.
        hint: what to do next, with a command to run where there is one.
        exit_code: the process's exit code; a subclass has its own default.
    """

    default_exit_code = ExitCode.FAILED

    def __init__(
        self, what: str, *, why: str = "", hint: str = "", exit_code: ExitCode | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint
        self.exit_code = self.default_exit_code if exit_code is None else exit_code
        self.details: tuple[str, ...] = ()
        """Lines for people, between the why and the hint; documents have a form of their own."""
        self.done: tuple[str, ...] = ()
        """What had been changed before the failure, a sentence each; `execute` fills it in."""
        self.left: tuple[str, ...] = ()
        """The steps after the one that failed, which were not begun."""

    def document(self) -> dict[str, object]:
        """Give the error as it stands in the one JSON document of `--json`."""
        return {
            "what": self.what,
            "why": self.why,
            "hint": self.hint,
            "exit_code": int(self.exit_code),
            "done": list(self.done),
            "left": list(self.left),
        }


class UsageError(SchoolctlError):
    """The command line asks for something that cannot be."""

    default_exit_code = ExitCode.USAGE


class ConfigError(SchoolctlError):
    """schoolctl.yaml, or a file merged into it, is wrong or missing."""

    default_exit_code = ExitCode.USAGE


class ConfigMissingError(ConfigError):
    """There is no schoolctl.yaml here; a few commands can do without."""


class DeclinedError(SchoolctlError):
    """The user said no, or could not be asked."""


class CredentialsError(SchoolctlError):
    """There are no usable credentials: none, expired, or unknown to AWS."""

    default_exit_code = ExitCode.CREDENTIALS


class RejectedKeyError(CredentialsError):
    """AWS does not know the keys; in a region that is not enabled, it says so of any."""


class WrongTargetError(SchoolctlError):
    """The credentials lead to another account or region than the configuration names."""

    default_exit_code = ExitCode.WRONG_TARGET


class AccessDeniedError(SchoolctlError):
    """AWS refused an action; `action` names it (such as `ecr:PutImage`) where AWS told.

    An optional read that ends here becomes a warning, never a failure.
    """

    def __init__(self, what: str, *, action: str | None, why: str = "", hint: str = "") -> None:
        super().__init__(what, why=why, hint=hint)
        self.action = action


class NotFoundError(SchoolctlError):
    """AWS or the engine has no such thing."""


class UnavailableError(SchoolctlError):
    """AWS was not reached, or asked to come back later: worth another try while waiting."""


class UnknownOperationError(SchoolctlError):
    """What answers does not know the operation: it is no AWS, or one that has less."""


class ConflictError(SchoolctlError):
    """The thing is there already, with another content or in another state."""


class BusyError(SchoolctlError):
    """Another deployment is under way, or somebody holds the lock."""

    default_exit_code = ExitCode.BUSY


class RolloutError(SchoolctlError):
    """AWS was changed, and the rollout did not succeed."""

    default_exit_code = ExitCode.ROLLOUT


class TimedOutError(SchoolctlError):
    """The time limit passed while AWS was still at work."""

    default_exit_code = ExitCode.TIMED_OUT


class EngineError(SchoolctlError):
    """The Docker engine is away, or refused or failed a build, push or pull."""


class MissingThingsError(SchoolctlError):
    """Things that the command needs are not there; all of them are named at once."""

    def __init__(self, what: str, missing: Sequence[str], *, hint: str) -> None:
        super().__init__(what, why="\n".join(missing), hint=hint)
        self.missing = tuple(missing)

    def document(self) -> dict[str, object]:
        """Give the error as it stands in the one JSON document of `--json`."""
        return {**super().document(), "missing": list(self.missing)}


class Terminated(KeyboardInterrupt):  # a sibling of KeyboardInterrupt
    """SIGTERM, made to stop a run the way Ctrl-C does."""


class InterruptedRunError(SchoolctlError):
    """The run was stopped by Ctrl-C or SIGTERM."""

    default_exit_code = ExitCode.INTERRUPTED


def interrupted(stop: KeyboardInterrupt, *, why: str = "", hint: str = "") -> InterruptedRunError:
    """Give the error for an interruption, with the exit code of its signal."""
    terminated = isinstance(stop, Terminated)
    return InterruptedRunError(
        "stopped by SIGTERM" if terminated else "stopped by Ctrl-C",
        why=why,
        hint=hint,
        exit_code=ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED,
    )


@contextmanager
def concerning(environment: str) -> Iterator[None]:
    """Name the environment in what goes wrong with another one than the chosen."""
    try:
        yield
    except AccessDeniedError as error:
        error.why = f"environment {environment} shares the repository\n{error.why}"
        raise
    except SchoolctlError as error:
        raise SchoolctlError(
            f"environment {environment} shares the repository, and cannot be looked into;"
            " nothing was changed",
            why="\n".join(filter(None, (error.what, error.why))),
            hint=error.hint,
            exit_code=error.exit_code,
        ) from error


class NeverRanError(SchoolctlError):
    """The command was never begun."""

    default_exit_code = ExitCode.NEVER_RAN


class NotVisibleYetError(SchoolctlError):
    """AWS does not see or take yet what follows a change a moment ago; or it is truly wrong."""
