"""Applies a plan, step by step; the one place where something is changed.

Each kind of step has its handlers in a module of its subject; `apply` is the switch between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from schoolctl.base import interruption
from schoolctl.base import step_kinds as kinds
from schoolctl.base.errors import ExitCode, SchoolctlError, interrupted
from schoolctl.ecs_service.steps.service import Registered, WaitForRollout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.aws.session.connection import Connection
    from schoolctl.base.clock import Clock
    from schoolctl.base.errors import InterruptedRunError
    from schoolctl.base.plan import Plan, Step
    from schoolctl.config.models import Config
    from schoolctl.core.run import Run
    from schoolctl.docker.engine import Engine
    from schoolctl.model.images import Digest
    from schoolctl.model.scan import Scan
    from schoolctl.model.services import Deployment, TaskDefinitionRef
    from schoolctl.output.reporter import Reporter


_AGAIN = "run it again: what is done is not done twice"


class Tools:
    """What handlers work with; the engine and the clients are made when first asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def clients(self) -> Clients:
        """The AWS clients; in a wrong account, a `WrongTargetError` instead."""
        clients = self._run.clients
        # Once more for a plan that was made without AWS: nothing is written before this.
        self._run.check_account()
        return clients

    def confirm_locks(self) -> None:
        """Make sure, before something is changed, that the locks of this run are still its own."""
        self._run.confirm_locks()

    @property
    def engine(self) -> Engine:
        """The Docker engine."""
        return self._run.engine

    @property
    def clock(self) -> Clock:
        """The time."""
        return self._run.clock

    @property
    def reporter(self) -> Reporter:
        """Where progress is shown."""
        return self._run.reporter

    @property
    def config(self) -> Config:
        """The configuration of the chosen environment."""
        return self._run.config

    @property
    def environments(self) -> list[Config]:
        """The configurations of all environments."""
        return [each.config for each in self._run.config_file.all().values()]

    def connect(self, config: Config) -> Connection:
        """Decide the connection of another environment."""
        return self._run.connect(config)

    def clients_of(self, environment: str) -> tuple[Config, Clients]:
        """The configuration and the AWS clients of another environment."""
        return self._run.clients_of(environment)

    @property
    def environ(self) -> Mapping[str, str]:
        """The process's environment."""
        return self._run.services.environ


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


def execute(plan: Plan, tools: Tools) -> Outcome:
    """Apply `plan` and give what was done.

    Raises:
        SchoolctlError: a step failed, or Ctrl-C came; its `done` says which steps were through,
            its `left` which were not begun.
    """
    outcome = Outcome()
    for number, step in enumerate(plan.steps, 1):
        left = tuple(each.describe() for each in plan.steps[number:])
        try:
            if not isinstance(step, kinds.Watching):
                tools.confirm_locks()
            said = apply(step, tools, outcome)
        except SchoolctlError as error:
            error.done = (*outcome.done, *error.done)
            # What would follow a rollout is for one that completed.
            decided = isinstance(step, WaitForRollout) and error.exit_code is ExitCode.ROLLOUT
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
    """Give the error for an interruption: what was done, what was not, and what goes on."""
    from schoolctl.ecs_service.rollout.view import GOES_ON

    goes_on = outcome.deployment is not None
    hint = GOES_ON if goes_on else _AGAIN
    stopped = interrupted(stop, why=why, hint=hint)
    stopped.done = tuple(outcome.done)
    stopped.left = left
    return stopped


def apply(step: Step, tools: Tools, outcome: Outcome) -> str:  # noqa: C901, PLR0911  # an arm for each
    """Apply one step; gives what to say beside its description, or nothing.

    Each arm imports what applies its kind, so that a command loads only the libraries it needs.
    """
    match step:
        case kinds.ImageStep():
            from schoolctl.images.push import apply as images

            return images.apply(step, tools, outcome)
        case kinds.PruneStep():
            from schoolctl.images.stored import apply as prune

            return prune.apply(step, tools, outcome)
        case kinds.ValueStep():
            from schoolctl.params import apply as seed

            return seed.apply(step, tools)
        case kinds.RotationStep():
            from schoolctl.rotation import apply as rotate

            return rotate.apply(step, tools)
        case kinds.TaskStep():
            from schoolctl.ecs_service.run import tasks

            return tasks.apply(step, tools, outcome)
        case kinds.ServiceStep():
            from schoolctl.ecs_service.rollout import apply as service

            return service.apply(step, tools, outcome)
        case kinds.LockStep():
            from schoolctl.core import lock

            return lock.free_lock(step, tools)
        case kinds.NetworkStep():
            from schoolctl.network import apply as network

            return network.apply(step, tools, outcome)
        case kinds.ScalingStep():
            from schoolctl.ecs_service.scale import execute_auto_scaling as auto_scaling

            return auto_scaling.apply(step, tools)
        case kinds.StackStep():
            from schoolctl.infra import apply as stack

            return stack.apply(step, tools)
        case _:
            assert_never(step)
