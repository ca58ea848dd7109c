"""The reasons that ECS, the load balancer and containers give, with cause and cure.

ECS's texts are matched loosely: none of them is part of an API, and they have changed before.
Sources: ECS developer guide (stopped task error codes, service event messages), AWS re:Post.
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
    """A reason; it applies where every one of `patterns` is found, in any case."""

    patterns: tuple[str, ...]
    cause: str
    fix: str
    trouble: bool = True

    def matches(self, text: str) -> bool:
        """Say whether the rule applies to `text`."""
        return all(re.search(each, text, re.IGNORECASE) for each in self.patterns)

    def diagnosis(self) -> Diagnosis:
        """Give the rule's cause and cure."""
        return Diagnosis(self.cause, self.fix, self.trouble)


def first(rules: Sequence[Rule], text: str) -> Diagnosis | None:
    """Give the diagnosis of the first rule that applies to `text`."""
    found = next((each for each in rules if each.matches(text)), None)
    return None if found is None else found.diagnosis()


_PULL = r"cannotpull|pull image|pull container"
_SECRETS = r"pull secrets|fetch secret|registry auth|ssm parameters"
_NO_ROUTE = (
    r"i/o timeout|requesterror|request ?canceled|context (canceled|deadline)|connection refused"
    r"|dial tcp|no such host|timed? ?out"
)
_FORBIDDEN = (
    r"403|forbidden|access ?denied|not authorized|pull access denied|unexpected status code"
)
_FIX_ROUTE = (
    "give the tasks a way out: `assign_public_ip: true` in public subnets, or a NAT gateway, or"
    " endpoints for ecr.api, ecr.dkr, ssm, secretsmanager, logs and S3; and let their security"
    " group out on 443"
)

# The first rule that applies wins, so the particular ones stand before the general ones.
STOPPED = (
    Rule(
        (_SECRETS, r"versionid|minimum field size|invalid.*arn|malformed"),
        "the ARN of a secret in the task definition is malformed",
        "check the `:key:stage:id` at its end in `schoolctl taskdef render`",
    ),
    Rule(
        (_SECRETS, r"access ?denied|not authorized|kms"),
        "the execution role may not read a parameter or secret that the task definition names",
        "allow ssm:GetParameters, secretsmanager:GetSecretValue (and kms:Decrypt for a customer"
        " key) to the *execution* role, not to the task role",
    ),
    Rule(
        (_SECRETS, _NO_ROUTE),
        "the task cannot reach SSM, Secrets Manager or ECR",
        _FIX_ROUTE,
    ),
    Rule(
        (_SECRETS, r"not ?found|can't find|invalid ssm parameters|invalid parameters|no secret"),
        "a parameter or secret that the task definition names does not exist in this region",
        "compare `schoolctl taskdef render` with `schoolctl params list`, then"
        " `schoolctl params set`",
    ),
    Rule(
        (_SECRETS,),
        "a parameter or secret could not be read when the task started",
        "compare `schoolctl taskdef render` with `schoolctl params list`; check the execution role",
    ),
    Rule(
        (r"platform|exec format error|descriptor matching", r"linux/|exec format error"),
        "the image was built for another processor than the tasks run on",
        "build it with `schoolctl push`, which builds for `image.platform`, or change that",
    ),
    Rule(
        (_PULL, r"toomanyrequests|rate limit"),
        "the registry limits how often it may be pulled from",
        "keep the base image in ECR (a mirror or a pull-through cache)",
    ),
    Rule(
        (_PULL, r"diffids"),
        "the image's layers do not match its configuration (gzip and zstd mixed)",
        "build and push it again with one compression",
    ),
    Rule(
        (_PULL, r"no space left"),
        "the image does not fit on the task's disk",
        "make the image smaller, or raise `ephemeralStorage` in `task.overrides`",
    ),
    # Looked for before "not found": the container's command is in the image, or is not.
    Rule(
        (r"exec:|executable file|starting container process|no such file or directory",),
        "the command that the container should start is not in the image, or is not executable",
        "check CMD and ENTRYPOINT of the Dockerfile, and `command` in the task definition",
    ),
    Rule(
        (
            _PULL,
            r"not found|manifest unknown|name unknown|404|does not exist|failed to resolve ref",
        ),
        "the image is not in the repository (the tag or digest was never pushed, or was deleted)",
        "look with `schoolctl images list`, then push it or deploy one that is there",
    ),
    Rule(
        (_PULL, _FORBIDDEN),
        "the execution role may not pull from ECR, or a policy blocks the layers in S3",
        "attach AmazonECSTaskExecutionRolePolicy to the execution role; check the S3 endpoint's"
        " policy",
    ),
    Rule((_PULL, _NO_ROUTE), "the task cannot reach the registry", _FIX_ROUTE),
    Rule(
        (_PULL, r"or start container"),
        "the image could not be pulled, or the command is not in it",
        "check the spelling of the command, and look with `schoolctl images list` for the image",
    ),
    Rule(
        (_PULL,),
        "the image could not be pulled",
        "look with `schoolctl images list` whether it is there, and check the execution role and"
        " the way out to ECR",
    ),
    Rule(
        (r"log", r"initializ|validate logger|awslogs|log group|log driver"),
        "the container's log could not be opened",
        "check that the log group exists and that the execution role may write to it",
    ),
    Rule(
        (r"elb health checks|unhealthy.*target.?group",),
        "the load balancer found the task unhealthy",
        "check that the service's security group lets the load balancer in on the task's port, that"
        " `task.health_path` answers 200, and that `grace_seconds` covers the start",
    ),
    Rule(
        (r"container health check",),
        "the container's own health check failed",
        "run its command inside the container; give it a `startPeriod`",
    ),
    Rule(
        (r"OutOfMemory|OOM|memory usage",),
        "the container used more memory than the task has",
        "raise `task.memory`",
    ),
    Rule(
        (r"network interface|\beni\b",),
        "the task got no network interface",
        "check that the subnets have free addresses and that the security groups exist",
    ),
    Rule(
        (r"unable to assume|trust relationship|assume role",),
        "ECS may not use one of the task's roles",
        "let ecs-tasks.amazonaws.com assume the execution and the task role",
    ),
    Rule(
        (r"\befs\b|\bvolumes?\b|\bmount",),
        "a volume could not be mounted",
        "check the file system's mount targets, their security group (2049) and the task role",
    ),
    Rule(
        (r"capacity is unavailable|insufficient capacity|no capacity",),
        "AWS has no capacity left in these zones",
        "deploy again later, or name subnets in more zones",
    ),
    Rule(
        (r"\bspot",),
        "AWS took the Spot capacity back",
        "deploy again, or use FARGATE for some of the tasks",
    ),
    Rule(
        (r"scaling activity initiated|deployment completed|rolled back|replaced",),
        "ECS replaced the task: a part of every rollout",
        "",
        trouble=False,
    ),
    Rule(
        (r"timed? ?out waiting|did not start|start timeout|TaskStartTimedout",),
        "the container did not start in time",
        "look at the log: `schoolctl logs`",
    ),
    Rule(
        (r"termination ?notice|retire|infrastructure ?health|underlying (hardware|host)",),
        "AWS stopped the task for its own reasons (maintenance or a failing host)",
        "ECS starts another one; deploy again if it does not",
    ),
)

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
    134: ("the process aborted itself (SIGABRT)", "look at the last log lines"),
    137: (
        "the process was killed (SIGKILL): out of memory, or it did not stop in time",
        "raise `task.memory`, or `task.stop_timeout` if it was being stopped",
    ),
    139: (
        "the process crashed (SIGSEGV)",
        "check that the image is made for `image.platform`, and look for native libraries",
    ),
    143: (
        "the process was told to stop (SIGTERM)",
        "look at the service's events for who stopped it: `schoolctl status`",
    ),
}

# What a container says itself is often nearer to the cause than its exit code.
SAID = (
    Rule(
        (r"exec format error",),
        "the image was built for another processor than the tasks run on",
        "build it with `schoolctl push`, which builds for `image.platform`, or change that",
    ),
    Rule(
        (r"access denied for user|password authentication failed",),
        "the database refused the user or the password",
        "check `schoolctl params list` and the secret: `schoolctl params set`",
    ),
    Rule(
        (r"unknown database",),
        "the database server has no database of that name",
        "check the database's name: `schoolctl params list --reveal`",
    ),
    Rule(
        (r"can't connect to (mysql|mariadb)|could not connect to server|2003, ",),
        "the container cannot reach the database",
        "check the host's name (`schoolctl params list`) and that the database's security group"
        " lets the service in on its port",
    ),
    Rule(
        (r"accessdenied|is not authorized to perform",),
        "the container may not do something on AWS that it needs",
        "allow the action that the log names to the *task* role",
    ),
    Rule(
        (r"parameternotfound|secretnotfound|can't find the specified secret",),
        "a parameter or secret that the container reads does not exist",
        "`schoolctl params set` asks for all that is missing",
    ),
    Rule(
        (r"address already in use",),
        "two processes of the task want the same port",
        "check the containers' ports in the task definition",
    ),
    Rule(
        (r"read-only file system",),
        "the container writes to its root filesystem, which is read-only",
        "write below /tmp, or set `readonlyRootFilesystem: false` in `task.overrides`",
    ),
    Rule(
        (r"modulenotfounderror|cannot find module|no module named",),
        "a library that the program needs is not in the image",
        "add it to the requirements, build and push again",
    ),
)

UNPLACED = (
    Rule(
        (r"unable to place a task|unable to start", r"limit"),
        "a limit of the account is reached",
        "ask for a higher limit of Fargate tasks or vCPUs in Service Quotas, or stop other tasks",
    ),
    Rule(
        (r"unable to place a task", r"capacity|zone"),
        "AWS has no capacity left in these zones",
        "deploy again later, or name subnets in more zones",
    ),
    Rule(
        (r"unable to place a task",),
        "ECS finds no place for a task",
        "read the reason in the service's events: `schoolctl status`",
    ),
    Rule(
        (r"unable to assume|service.linked role",),
        "ECS may not use a role that it needs",
        "let ecs-tasks.amazonaws.com assume the execution and the task role; a role made a moment"
        " ago needs a minute",
    ),
    Rule(
        (r"unable to consistently start tasks",),
        "the tasks stop soon after they start, and ECS waits longer before each new one",
        "look at the stopped tasks' reasons",
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
        (r"throttled",),
        "AWS slows the service down: too many calls in this account",
        "wait some minutes; look for another tool that polls ECS",
    ),
    Rule(
        (r"deployment failed|circuit breaker",),
        "the circuit breaker ended the deployment",
        "look at the stopped tasks' reasons",
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
