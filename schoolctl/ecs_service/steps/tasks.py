"""The steps that run something in a container."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.model.launch import FARGATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import Registered, TaskDefinitionRef


@dataclass(frozen=True)
class RunTask(Step):
    """Run a command as a one-off task, show its log and take its exit code."""

    cluster: str
    container: str
    task_definition: TaskDefinitionRef | Registered
    command: tuple[str, ...]
    network: Mapping[str, object]
    purpose: str
    """Such as `release command`; used in messages."""
    log_group: str = ""
    timeout_seconds: float = 900
    must_succeed: bool = True
    """Whether another exit code than 0 ends the plan."""
    log_is_result: bool = False
    """Whether the container's log is what the command is asked for, and goes to stdout."""
    launch: Mapping[str, object] = field(default_factory=lambda: FARGATE.settings)
    """What it runs on: `launchType` or `capacityProviderStrategy`, as RunTask takes them."""
    alone: bool = False
    """Whether one that an earlier run left is waited for, before this one begins."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        command = shlex.join(self.command) or "the image's own command"
        return f"run the {self.purpose} `{command}` on {self.task_definition}"


@dataclass(frozen=True)
class OpenSession(Step):
    """Open a session in a running container, and hand the terminal over to it."""

    cluster: str
    task_arn: str
    container: str
    command: str
    """In one line, as ECS takes it."""
    target: str
    """The container, as Systems Manager names it."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        task = self.task_arn.rpartition("/")[2][:8]
        return f"run `{self.command}` in container {self.container} of task {task}"


AnyTaskStep = RunTask | OpenSession
