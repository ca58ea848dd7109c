"""Reasons with cause and cure: exit codes, service events, the load balancer's targets.

Why ECS stopped a task stands in `stop_reasons`, what a container said itself in `log_reasons`.
Texts are matched loosely: none of them is part of an API, and they have changed before.
Sources: ECS developer guide (service event messages), ELBv2 API, AWS re:Post.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Diagnosis:
    """A cause, and what to do about it; `trouble` is False for a stop that belongs to any rollout.

    `known` is False where the reason is one that we have no rule for: the cause is then ECS's own.
    """

    cause: str
    fix: str
    trouble: bool = True
    known: bool = True


@dataclass(frozen=True)
class Rule:
    """A reason; it applies where every one of `patterns` is found, in any case of letters."""

    patterns: tuple[str, ...]
    cause: str
    fix: str
    trouble: bool = True
    vague: bool = False
    """Whether what the container itself said, where that is known, is nearer to the cause."""

    def matches(self, text: str) -> bool:
        """Say whether the rule applies to `text`."""
        return all(re.search(each, text, re.IGNORECASE) for each in self.patterns)

    def diagnosis(self) -> Diagnosis:
        """Give the rule's cause and cure."""
        return Diagnosis(self.cause, self.fix, self.trouble)


def matching(rules: Sequence[Rule], text: str) -> Rule | None:
    """Give the first rule that applies to `text`."""
    return next((each for each in rules if each.matches(text)), None)


def first(rules: Sequence[Rule], text: str) -> Diagnosis | None:
    """Give the diagnosis of the first rule that applies to `text`."""
    found = matching(rules, text)
    return None if found is None else found.diagnosis()


EXITS: dict[int, tuple[str, str]] = {
    0: (
        "the process ended by itself, with success",
        "a service has to stay in the foreground: check CMD of the Dockerfile",
    ),
    126: (
        "the command is in the image but is not executable",
        "set its execute bit in the Dockerfile, and check its first line",
    ),
    127: (
        "the command is not in the image",
        "check CMD and ENTRYPOINT of the Dockerfile, and `command` in the task definition",
    ),
    132: (
        "the process crashed (SIGILL): the image has instructions that this processor lacks",
        "build the image for `image.platform`, without options for the machine that builds it",
    ),
    134: ("the process aborted itself (SIGABRT)", "look at the last log lines"),
    137: (
        "the process was killed (SIGKILL): out of memory, or it did not stop in time",
        "raise `task.memory`, or `task.stop_timeout` if it was being stopped",
    ),
    135: ("the process crashed (SIGBUS)", "look at the last log lines, and at `task.memory`"),
    136: ("the process crashed (SIGFPE)", "look at the last log lines"),
    139: (
        "the process crashed (SIGSEGV)",
        "check that the image is made for `image.platform`, and look for native libraries",
    ),
    143: (
        "the process was told to stop (SIGTERM)",
        "look at the service's events for who stopped it: `schoolctl events`",
    ),
}

UNPLACED = (
    Rule(
        (
            r"unable to place a task|unable to start|failed to launch|reason",
            r"limit on the number|quota|over limit|\blimits?\b",
        ),
        "a limit of the account is reached",
        "ask for a higher limit of Fargate tasks or vCPUs in Service Quotas, or stop other tasks",
    ),
    Rule(
        (r"unable to assume|service.linked role|trust relationship",),
        "ECS may not use a role that it needs",
        "let ecs-tasks.amazonaws.com assume the execution and the task role; a role made a moment"
        " ago needs a minute",
    ),
    Rule(
        (r"unable to place a task", r"container instance|RESOURCE:|\bAGENT\b|ATTRIBUTE"),
        "no container instance has room for the task",
        "run the service on Fargate (`launchType`), or add instances to the cluster",
    ),
    Rule(
        (r"unable to place a task|failed to launch", r"not supported|unsupported"),
        "Fargate does not offer what the task asks for in these zones",
        "name subnets in other zones in `service.subnets`",
    ),
    Rule(
        (r"unable to place a task|failed to launch", r"capacity|zone"),
        "AWS has no capacity left in these zones",
        "deploy again later, or name subnets in more zones",
    ),
    Rule(
        (r"unable to place a task|failed to launch",),
        "ECS finds no place for a task",
        "read the reason in the service's events: `schoolctl events`",
    ),
    Rule(
        (r"unable to consistently start tasks",),
        "the tasks stop soon after they start, and ECS waits longer before each new one",
        "look at the stopped tasks' reasons: `schoolctl tasks --stopped`",
    ),
    Rule(
        (r"is unhealthy in",),
        "the load balancer found a task unhealthy",
        "check that the service's security group lets the load balancer in on the task's port, that"
        " `task.health_path` answers 200, and that `grace_seconds` covers the start",
    ),
    Rule(
        (r"because of the service deployment configuration",),
        "`min_percent` and `max_percent` leave no room to start or stop a task",
        "raise `service.deployment.max_percent`, or lower `min_percent`",
    ),
    Rule(
        (r"(failed|unable) to (de)?register",),
        "the load balancer did not take a task as a target",
        "check that the target group exists, is on a listener, and is of type `ip`",
    ),
    Rule(
        (r"throttled|throttling",),
        "AWS slows the service down: too many calls in this account",
        "wait some minutes; look for another tool that polls ECS",
    ),
    Rule(
        (r"deployment failed|circuit breaker|rolling back",),
        "the circuit breaker ended the deployment",
        "look at the stopped tasks' reasons: `schoolctl why`",
    ),
)

TARGETS = {
    "Target.ResponseCodeMismatch": (
        "the health check's answer has another status than the target group wants",
        "make `task.health_path` answer 200, or change the target group's matcher",
    ),
    "Target.Timeout": (
        "the health check gets no answer in time",
        "check the service's security group (the load balancer must get in) and the answer's speed",
    ),
    "Target.FailedHealthChecks": (
        "the health check cannot connect",
        "check that the application listens on `task.port`, on 0.0.0.0",
    ),
    "Target.NotInUse": (
        "the target group is on no listener, or its zone is off",
        "add the target group to a listener of the load balancer",
    ),
    "Target.InvalidState": ("the task is stopping", ""),
    "Target.IpUnusable": (
        "the load balancer uses the task's address itself",
        "put the tasks and the load balancer on other addresses",
    ),
    "Elb.InternalError": ("the load balancer had an error of its own", "wait, then look again"),
}
