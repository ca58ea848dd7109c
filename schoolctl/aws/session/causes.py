"""Causes and hints for the error messages of AWS, and the codes of quotas.

ECS has two codes, ClientException and InvalidParameterException, for nearly everything: only the
message tells what is wrong. It is matched loosely, as AWS changes its wording.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ROLES = (
    "check that the role exists and trusts ecs-tasks.amazonaws.com:"
    " `aws iam get-role --role-name NAME`; and that you may pass it (iam:PassRole)"
)
_QUOTAS = (
    "`aws service-quotas list-service-quotas --service-code {code}` shows the account's limits;"
    " ask AWS for more, or make room"
)
_LIMIT_CODES = re.compile(r"(Limit|Quota)Exceeded")


@dataclass(frozen=True)
class Cause:
    """What some words of AWS mean.

    Attributes:
        words: a pattern that AWS's message has.
        hint: the cure.
        early: whether it may be that something was created a moment ago and is not visible yet.
    """

    words: re.Pattern[str]
    hint: str
    early: bool = False


def _cause(words: str, hint: str, *, early: bool = False) -> Cause:
    return Cause(re.compile(words, re.IGNORECASE), hint, early)


CAUSES: Final = (
    _cause(
        r"service.linked role",
        "create it once for the account:"
        " `aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`",
        early=True,
    ),
    _cause(
        r"validate the specified targetGroupArn",
        "check `service.target_group`, and that ECS has its service-linked role:"
        " `aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`",
        early=True,
    ),
    _cause(r"unable to assume|role is not valid|cannot be assumed", _ROLES, early=True),
    _cause(
        r"does not have an associated load balancer",
        "a listener of the load balancer must forward to the target group:"
        " `aws elbv2 describe-listeners --load-balancer-arn ARN`",
        early=True,
    ),
    _cause(
        r"target ?groups?\b.*(does not exist|not found|not valid)",
        "check `service.target_group`: `aws elbv2 describe-target-groups`",
        early=True,
    ),
    _cause(
        r"security group.*(does not exist|not found)|InvalidGroup\.NotFound",
        "check `service.security_groups`: `aws ec2 describe-security-groups`",
        early=True,
    ),
    _cause(
        r"subnet.*(does not exist|not found)|InvalidSubnetID\.NotFound",
        "check `service.subnets`: `aws ec2 describe-subnets`",
        early=True,
    ),
    _cause(
        r"capacity provider.*(not found|does not exist|not associated|is not valid)",
        "check `service.overrides.capacityProviderStrategy`:"
        " `aws ecs describe-clusters --clusters NAME` tells what the cluster has",
    ),
    _cause(
        r"still draining",
        "the service of this name is being deleted: run it again in a minute",
    ),
    _cause(
        r"task ?definition (is inactive|not found|does not exist)",
        "`schoolctl taskdef list` shows the revisions that can run",
    ),
    _cause(
        r"no fargate configuration exists",
        "correct `task.cpu` and `task.memory`, or what `task.overrides` makes of them",
    ),
    _cause(
        r"container \S+ does not exist in the task definition",
        "correct `task.container`, or what `task.overrides` calls the container",
    ),
    _cause(r"did not have a container port", "correct `task.port`"),
    _cause(
        r"network configuration must be provided",
        "name `service.subnets`; a task on Fargate has a network of its own",
    ),
    _cause(r"vcpu|number of tasks you can run concurrently", _QUOTAS.format(code="fargate")),
    _cause(r"capacity is unavailable", "AWS has no Fargate capacity there: run it again later"),
    _cause(
        r"account is (currently )?blocked|account has been blocked",
        "only AWS Support can lift that: https://console.aws.amazon.com/support/",
    ),
    _cause(
        r"needs a subscription|not subscribed|is not signed up",
        "finish the sign-up of the account: https://portal.aws.amazon.com/billing/signup",
    ),
    _cause(
        r"HierarchyTypeMismatch",
        "SSM does not change the type of a parameter: declare the type that it has"
        " (`schoolctl params list`), or delete it and set it again: `schoolctl params delete KEY`",
    ),
    _cause(
        r"ParameterMaxVersionLimit",
        "SSM keeps 100 versions and does not drop one that has a label: `schoolctl params history"
        " KEY` shows it, `aws ssm unlabel-parameter-version` takes the label away",
    ),
    _cause(
        r"advanced.parameter tier|advanced tier",
        "an advanced parameter cannot be made a standard one: delete it and set it again,"
        " `schoolctl params delete KEY`",
    ),
    _cause(
        r"ParameterPatternMismatch|AllowedPattern",
        "the parameter has an allowed pattern that the value does not fit:"
        " `aws ssm describe-parameters` shows it",
    ),
    _cause(
        r"InvalidKeyId|KMSKeyDisabled|KMSInvalidState|DisabledException|pending deletion",
        "the KMS key that encrypts it is disabled, deleted, or not yours to use:"
        " `aws ssm describe-parameters` names it as KeyId, `aws kms describe-key --key-id ID`"
        " tells its state",
    ),
    _cause(r"customer master key|kms key|access to kms", "check the key's policy and its state"),
)
"""The first that fits counts."""


def cause_of(message: str) -> Cause | None:
    """Give what AWS's message means; None for one that speaks for itself."""
    return next((each for each in CAUSES if each.words.search(message)), None)


def is_limit(code: str) -> bool:
    """Say whether a code tells of a limit of the account, rather than of the rate of calls."""
    return _LIMIT_CODES.search(code) is not None


def limit_hint(operation: str) -> str:
    """Give the cure for a limit of the account that a call met."""
    of = {"Parameter": "ssm", "SecurityGroup": "vpc"}
    code = next((code for part, code in of.items() if part in operation), "ecs")
    return _QUOTAS.format(code=code)
