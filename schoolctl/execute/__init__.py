"""Applies a plan, step by step; the one place where something is changed.

Each kind of step has its handler in a module of its subject; `apply` is the switch between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from schoolctl.errors import SchoolctlError, interrupted
from schoolctl.plan import steps

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients
    from schoolctl.cli.run import Run
    from schoolctl.clock import Clock
    from schoolctl.config import Config
    from schoolctl.engine import Engine
    from schoolctl.model import Deployment, Digest, TaskDefinitionRef
    from schoolctl.plan.steps import Plan, Registered, Step
    from schoolctl.reporter import Reporter


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


@dataclass
class Outcome:
    """What was done so far, and what the steps yielded."""

    done: list[str] = field(default_factory=list)
    """The descriptions of the steps that are through, in order."""
    pushed: Digest | None = None
    """The digest that PushImage pushed and ECR confirmed."""
    sent_bytes: int = 0
    """How many bytes PushImage sent; layers that were there already count nothing."""
    registered: TaskDefinitionRef | None = None
    deployment: Deployment | None = None
    """The deployment that CreateService or UpdateService started, as it was then."""
    exit_code: int | None = None
    """The exit code of the last RunTask."""
    failures: list[str] = field(default_factory=list)
    """What a batch did not do, with AWS's reason, such as DeleteImages' `failures`."""

    def revision(self, wanted: TaskDefinitionRef | Registered) -> TaskDefinitionRef:
        """Fill in a placeholder: the revision itself, or the one registered on the way."""
        if not isinstance(wanted, steps.Registered):
            return wanted
        if self.registered is None:
            raise AssertionError("the plan uses a revision before it registers one")
        return self.registered


def execute(plan: Plan, tools: Tools) -> Outcome:
    """Apply `plan` and give what was done.

    Raises:
        SchoolctlError: a step failed, or Ctrl-C came; its `done` says which steps were through.
    """
    outcome = Outcome()
    for step in plan.steps:
        try:
            said = apply(step, tools, outcome)
        except SchoolctlError as error:
            error.done = (*outcome.done, *error.done)
            raise
        except KeyboardInterrupt as stop:
            error = interrupted(stop, hint="run it again: what is done is not done twice")
            error.done = tuple(outcome.done)
            raise error from None
        outcome.done.append(f"{step.describe()}: {said}" if said else step.describe())
        tools.reporter.note(outcome.done[-1])
    return outcome


def apply(step: Step, tools: Tools, outcome: Outcome) -> str:  # noqa: C901, PLR0911, PLR0912  # one arm for each kind of step
    """Apply one step; gives what to say beside its description, or nothing.

    The handlers are imported here so that a command loads only the libraries it needs.
    """
    from schoolctl.execute import deploy, images, rollout, run_task, seed

    match step:
        case steps.CreateRepository():
            return images.create_repository(step, tools)
        case steps.BuildImage():
            return images.build(step, tools)
        case steps.PushImage():
            return images.push(step, tools, outcome)
        case steps.PullImage():
            return images.pull(step, tools)
        case steps.DeleteImages():
            return images.delete(step, tools, outcome)
        case steps.PutParameter():
            return seed.put_parameter(step, tools)
        case steps.PutSecret():
            return seed.put_secret(step, tools)
        case steps.RestoreSecret():
            return seed.restore_secret(step, tools)
        case steps.CreateLogGroup():
            return deploy.create_log_group(step, tools)
        case steps.RegisterTaskDefinition():
            return deploy.register(step, tools, outcome)
        case steps.DeregisterTaskDefinition():
            return deploy.deregister(step, tools)
        case steps.RunTask():
            return run_task.run_task(step, tools, outcome)
        case steps.CreateService():
            return deploy.create_service(step, tools, outcome)
        case steps.UpdateService():
            return deploy.update_service(step, tools, outcome)
        case steps.StopDeployment():
            return deploy.stop_deployment(step, tools)
        case steps.WaitForRollout():
            return rollout.wait_for_rollout(step, tools, outcome)
        case steps.MarkCompleted():
            return deploy.mark_completed(step, tools, outcome)
        case _:
            assert_never(step)
