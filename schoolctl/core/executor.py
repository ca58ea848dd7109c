"""The executor: applies a plan, step by step. Nothing is changed anywhere else.

The steps of a subject are carried out by its module `apply`; the table of `schoolctl/app.py` says
which one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from schoolctl.base import interruption
from schoolctl.base.errors import ExitCode, NotVisibleYetError, SchoolctlError, interrupted
from schoolctl.base.text import duration
from schoolctl.model.services import Registered

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.aws.session.connection import Connection
    from schoolctl.base.clock import Clock
    from schoolctl.base.errors import InterruptedRunError
    from schoolctl.base.plan import Plan, Step
    from schoolctl.config.models import Config
    from schoolctl.docker.engine import Engine
    from schoolctl.model.images import Digest, Scan
    from schoolctl.model.services import Deployment, TaskDefinitionRef
    from schoolctl.output.reporter import Reporter


T = TypeVar("T")

_AGAIN = "run it again: what is done is not done twice"
_VISIBLE_WITHIN_SECONDS = 60.0
_SETTLES_WITHIN_SECONDS = 15.0
_PAUSE_SECONDS = 3.0


class Tools(Protocol):
    """What handlers work with; the engine and the clients are made when first asked for."""

    @property
    def clients(self) -> Clients:
        """The AWS clients; in a wrong account, a `WrongTargetError` instead."""

    def confirm_locks(self) -> None:
        """Make sure, before something is changed, that the locks of this run are still its own."""

    @property
    def engine(self) -> Engine:
        """The Docker engine."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def reporter(self) -> Reporter:
        """Where progress is shown."""

    @property
    def config(self) -> Config:
        """The configuration of the chosen environment."""

    @property
    def environments(self) -> list[Config]:
        """The configurations of all environments."""

    def connect(self, config: Config) -> Connection:
        """Decide the connection of another environment."""

    def clients_of(self, environment: str) -> tuple[Config, Clients]:
        """Return the configuration and the AWS clients of another environment."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The process's environment."""


class Handler(Protocol):
    """A module `apply`: it carries out the steps of one module `steps`."""

    def apply(self, step: Any, tools: Tools, outcome: Outcome, /) -> str:  # noqa: ANN401  # its own
        """Carry out a step and return what to add to its description, or nothing."""


Handlers = Mapping[str, str]
"""The module that carries out the steps of a module, by that one's name."""


@dataclass
class Outcome:
    """What was done so far, and what the steps yielded."""

    done: list[str] = field(default_factory=list)
    """The descriptions of the steps that are through, in order."""
    pushed: Digest | None = None
    """The digest that PushImage pushed and ECR confirmed."""
    scan: Scan | None = None
    """What ReadScan read; None where there was nothing to read."""
    sent_bytes: int = 0
    """How many bytes PushImage sent; layers that were there already count nothing."""
    registered: TaskDefinitionRef | None = None
    deployment: Deployment | None = None
    """The deployment that CreateService or UpdateService started, as it was then."""
    goes_on: str = ""
    """What AWS goes on with even if this run stops, and how to follow it."""
    desired: int | None = None
    """The count that CreateService or UpdateService set; None where it was left alone."""
    rollout: str = ""
    """What WaitForRollout said, such as `completed in 42 s, 2 of 2 running`."""
    proven: bool = True
    """False where a rollout ended well without a running task: the revision stays unmarked."""
    exit_code: int | None = None
    """The exit code of the last RunTask."""
    failures: list[str] = field(default_factory=list)
    """What a batch did not do, with AWS's reason, such as DeleteImages' `failures`."""
    deleted: tuple[Digest, ...] = ()
    """The images that DeleteImages deleted."""
    created_groups: dict[str, str] = field(default_factory=dict)
    """The ids of the security groups that CreateSecurityGroup made, by name."""

    def revision(self, wanted: TaskDefinitionRef | Registered) -> TaskDefinitionRef:
        """Fill in a placeholder: the revision itself, or the one registered on the way."""
        if not isinstance(wanted, Registered):
            return wanted
        if self.registered is None:
            raise AssertionError("the plan uses a revision before it registers one")
        return self.registered


def execute(plan: Plan, tools: Tools, handlers: Handlers) -> Outcome:
    """Apply `plan` and return what was done.

    Raises:
        SchoolctlError: a step failed, or Ctrl-C came; its `done` says which steps were through,
            its `left` which were not begun.
    """
    outcome = Outcome()
    for number, step in enumerate(plan.steps, 1):
        left = tuple(each.describe() for each in plan.steps[number:])
        try:
            if not step.watches:
                tools.confirm_locks()
            said = apply(step, tools, outcome, handlers)
        except SchoolctlError as error:
            error.done = (*outcome.done, *error.done)
            # What would follow a rollout is for one that completed.
            decided = step.decides and error.exit_code is ExitCode.ROLLOUT
            error.left = () if decided else left
            _say_how_to_go_on(error)
            raise
        except KeyboardInterrupt as stop:
            why = f"it came while this was going on: {step.describe()}"
            if interruption.answer_unknown():
                why = f"{why}\nAWS had not answered yet: whether it did so is not known"
            raise _stopped(stop, why, outcome, left) from None
        outcome.done.append(f"{step.describe()}: {said}" if said else step.describe())
        tools.reporter.note(outcome.done[-1])
        # A signal that came during the step's last call: its answer is noted by now.
        late = interruption.kept() if left else None
        if late is not None:
            raise _stopped(late, "", outcome, left)
    return outcome


def _say_how_to_go_on(error: SchoolctlError) -> None:
    """Say of a plan that is through in part how to carry out the rest: by the same command.

    What came of a rollout has a hint of its own.
    """
    goes_on = error.exit_code in {ExitCode.FAILED, ExitCode.CREDENTIALS}
    if error.done and goes_on and "run it again" not in error.hint:
        error.hint = "\n".join(filter(None, (error.hint, _AGAIN)))


def _stopped(
    stop: KeyboardInterrupt, why: str, outcome: Outcome, left: tuple[str, ...]
) -> InterruptedRunError:
    """Return the error for an interruption: what was done, what was not, and what goes on."""
    stopped = interrupted(stop, why=why, hint=outcome.goes_on or _AGAIN)
    stopped.done = tuple(outcome.done)
    stopped.left = left
    return stopped


def apply(step: Step, tools: Tools, outcome: Outcome, handlers: Handlers) -> str:
    """Apply one step and return what to add to its description, or nothing.

    What carries it out is imported here, so that a command loads only the libraries it needs.
    """
    handler: Handler = importlib.import_module(handlers[type(step).__module__])
    return handler.apply(step, tools, outcome)


def until_visible(tools: Tools, call: Callable[[], T]) -> T:
    """Repeat a call for a minute while ECS does not see a role or a target group.

    Both take effect some seconds after they were created; after a minute they are truly wrong.
    """
    return _repeat(
        tools,
        call,
        _VISIBLE_WITHIN_SECONDS,
        begun="waiting up to a minute",
        given_up="it was tried again for a minute: this is no matter of time",
    )


def until_settled(tools: Tools, call: Callable[[], T]) -> T:
    """Repeat a call for some seconds while AWS is still busy with the one before it."""
    limit = duration(_SETTLES_WITHIN_SECONDS)
    return _repeat(
        tools,
        call,
        _SETTLES_WITHIN_SECONDS,
        begun=f"waiting up to {limit}",
        given_up=f"it was tried again for {limit}",
    )


def _repeat(
    tools: Tools, call: Callable[[], T], within_seconds: float, *, begun: str, given_up: str
) -> T:
    give_up_at = tools.clock.monotonic() + within_seconds
    told = False
    while True:
        try:
            return call()
        except NotVisibleYetError as error:
            if tools.clock.monotonic() >= give_up_at:
                error.why += f"\n{given_up}"
                raise
            if not told:
                tools.reporter.note(f"{begun}: {error.why}")
            told = True
            tools.clock.sleep(_PAUSE_SECONDS)
