"""IAM policies: the permissions of a command, written for the ARNs of a configuration. Pure.

Source: IAM User Guide, "IAM JSON policy element reference" and "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from schoolctl.base.partitions import partition_of
from schoolctl.config.infra import ROLE_LIMIT, fitted
from schoolctl.core.lock_rules import lock_name
from schoolctl.ecs_service.define.task_definition import named_roles
from schoolctl.iam.permission import Case, On
from schoolctl.iam.permissions import permissions_of
from schoolctl.model.surroundings import APP_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schoolctl.config.models import Config
    from schoolctl.iam.permission import Permission, Permissions

Condition = dict[str, dict[str, str]]
Document = dict[str, Any]

LONGEST = 6144
"""How many characters a managed policy may have; white space does not count."""
TASKS_SERVICE = "ecs-tasks.amazonaws.com"
CLOUDFORMATION_SERVICE = "cloudformation.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"
"""Who vouches for workflows on GitHub."""
_VERSION = "2012-10-17"
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")
_ANY_SUFFIX = "-??????"


@dataclass(frozen=True)
class Scope:
    """Where a policy is for.

    Attributes:
        config: the environment.
        region: where its resources are.
        account: whose they are.
        sharing: the environments that share its repository, as `images prune` locks them; itself
            at least.
    """

    config: Config
    region: str
    account: str
    sharing: Sequence[Config] = field(default=())

    def arn(self, service: str, rest: str) -> str:
        """Give the ARN of something of the account in the region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    @property
    def partition(self) -> str:
        """What ARNs begin with behind `arn:`."""
        return partition_of(self.region).name

    @property
    def names(self) -> dict[str, str]:
        """What the configuration calls the things that ARNs name."""
        config = self.config
        return {
            "app": config.app,
            "environment": config.environment,
            "repository": config.image.repository,
            "cluster": config.service.cluster,
            "service": config.service.name,
            "family": config.task.family,
            "log_group": config.task.log_group,
            "lock": lock_name(config),
            "stack": config.stack_name,
        }

    @property
    def cluster_arn(self) -> str:
        """The ARN of the service's cluster."""
        return self.arn("ecs", f"cluster/{self.config.service.cluster}")

    def role_arn(self, role: str) -> str:
        """Give a role's ARN; one that the configuration names is taken to have no path."""
        if role.startswith("arn:"):
            return role
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def secret_arn(self, key: str) -> str:
        """Give a pattern that a declared secret's ARN matches, and no other secret's."""
        name = self.config.secret_name(key)
        if not name.startswith("arn:"):
            name = self.arn("secretsmanager", f"secret:{name}")
        elif _SUFFIX.fullmatch(name[-7:]):
            return name
        return f"{name}{_ANY_SUFFIX}"


_ARNS: dict[On, tuple[tuple[str, str], ...]] = {
    On.REPOSITORY: (("ecr", "repository/{repository}"),),
    On.SERVICE: (("ecs", "service/{cluster}/{service}"),),
    On.SERVICE_DEPLOYMENTS: (
        ("ecs", "service/{cluster}/{service}"),
        ("ecs", "service-deployment/{cluster}/{service}/*"),
    ),
    On.SERVICE_REVISIONS: (
        ("ecs", "service/{cluster}/{service}"),
        ("ecs", "service-revision/{cluster}/{service}/*"),
    ),
    On.TASKS: (("ecs", "task/{cluster}/*"),),
    On.SESSIONS: (("ecs", "cluster/{cluster}"), ("ecs", "task/{cluster}/*")),
    On.EVERY_DATABASE: (("rds", "db:*"),),
    On.EVERY_DATABASE_CLUSTER: (("rds", "cluster:*"),),
    On.EVERY_PARAMETER: (("ssm", "parameter/*"),),
    On.EVERY_REPOSITORY: (("ecr", "repository/*"),),
    On.EVERY_SECRET: (("secretsmanager", "secret:*"),),
    On.EVERY_SERVICE: (("ecs", "service/*"),),
    On.EVERY_TASK: (("ecs", "task/*"),),
    On.FAMILY: (("ecs", "task-definition/{family}:*"),),
    On.FAMILY_IN_CLUSTER: (("ecs", "task-definition/{family}:*"),),
    # Which of the two AWS asks for depends on the action.
    On.LOG_GROUP: (("logs", "log-group:{log_group}"), ("logs", "log-group:{log_group}:*")),
    On.LOG_STREAMS: (("logs", "log-group:{log_group}:log-stream:*"),),
    On.PARAMETERS: (("ssm", "parameter/{app}/{environment}/*"),),
    On.LOCK: (("ssm", "parameter{lock}"),),
    On.SECURITY_GROUPS: (("ec2", "security-group/*"),),
    On.NEW_SECURITY_GROUPS: (("ec2", "security-group/*"), ("ec2", "vpc/*")),
    On.TAGS_OF_NEW_GROUPS: (("ec2", "security-group/*"),),
    On.STACK: (("cloudformation", "stack/{stack}/*"),),
    On.SCALABLE_TARGETS: (("application-autoscaling", "scalable-target/*"),),
    On.EVERY_ALARM: (("cloudwatch", "alarm:*"),),
    # Auto scaling names an alarm TargetTracking-<resource id>-AlarmHigh-<an id of its own>.
    On.ALARMS: (("cloudwatch", "alarm:TargetTracking-service/{cluster}/{service}-*"),),
    # Their names begin with the stack's, as CloudFormation gives them.
    On.DATABASES: (("rds", "db:{stack}-*"),),
}
"""The services and what their ARNs end with, for what a configuration names itself."""


_OF_ACCOUNT = {
    On.IDENTITY_PROVIDER: (f"oidc-provider/{GITHUB}",),
    On.PRINCIPALS: ("role/*", "user/*"),
    On.SERVICE_LINKED_ROLES: ("role/aws-service-role/*",),
}
"""What IAM has once for an account."""


def resources(on: On, scope: Scope) -> tuple[str, ...]:
    """Give the ARNs that a kind of resource stands for; empty where the configuration has none."""
    config = scope.config
    match on:
        case On.ANYTHING | On.CLUSTER_ONLY | On.THROUGH_STACK:
            return ("*",)
        case On.ROLES | On.PASSED_ROLES:
            return tuple(dict.fromkeys(map(scope.role_arn, named_roles(config))))
        case On.ROLES_OF_STACK:
            made = (*named_roles(config), ci_role_name(config))
            return tuple(dict.fromkeys(map(scope.role_arn, made)))
        case On.IDENTITY_PROVIDER | On.PRINCIPALS | On.SERVICE_LINKED_ROLES:
            here = f"arn:{scope.partition}:iam::{scope.account}:"
            return tuple(f"{here}{name}" for name in _OF_ACCOUNT[on])
        case On.PARAMETERS if not config.parameters:
            return ()
        case On.SECRETS:
            return tuple(_secrets(scope))
        case On.LOCKS:
            found = (replace(scope, config=each) for each in (config, *scope.sharing))
            return tuple(sorted({arn for each in found for arn in resources(On.LOCK, each)}))
        case _:
            names = scope.names
            return tuple(scope.arn(service, rest.format_map(names)) for service, rest in _ARNS[on])


def _secrets(scope: Scope) -> Iterable[str]:
    config = scope.config
    if any(each.arn is None for each in config.secrets.values()):
        # One that does not exist has no suffix yet: AWS then compares its name alone.
        yield scope.arn("secretsmanager", f"secret:{config.app}/{config.environment}/*")
    for key, each in config.secrets.items():
        if each.arn is not None:
            yield scope.secret_arn(key)


def condition(on: On, scope: Scope) -> Condition:
    """Give what a request has to be like besides; empty where nothing narrows it down."""
    match on:
        case On.CLUSTER_ONLY | On.FAMILY_IN_CLUSTER:
            return {"ArnEquals": {"ecs:cluster": scope.cluster_arn}}
        case On.THROUGH_STACK | On.ROLES_OF_STACK:
            return {"ForAnyValue:StringEquals": {"aws:CalledVia": CLOUDFORMATION_SERVICE}}
        case On.PASSED_ROLES:
            return {"StringEquals": {"iam:PassedToService": TASKS_SERVICE}}
        case On.SECURITY_GROUPS:
            return {"StringEquals": {f"aws:ResourceTag/{APP_TAG}": scope.config.app}}
        case On.TAGS_OF_NEW_GROUPS:
            return {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
        case _:
            return {}


def needed(config: Config, *commands: str) -> Permissions:
    """Give what commands need with a configuration: nothing for what it does not have.

    Raises:
        KeyError: there is no such command.
    """
    service = config.service
    absent = set()
    infra = config.infra
    if not infra.stack:
        absent |= {Case.STACK, Case.DATABASE, Case.PIPELINE}
    if not infra.database:
        absent.add(Case.DATABASE)
    if infra.ci_role is None:
        absent.add(Case.PIPELINE)
    if service.target_group is None and not service.overrides.get("loadBalancers"):
        absent.add(Case.TARGET_GROUP)
    if service.release_command is None:
        absent.add(Case.RELEASE_COMMAND)
    return permissions_of(*commands, absent=absent)


@dataclass(frozen=True)
class Checked:
    """A permission as SimulatePrincipalPolicy is asked about it.

    Attributes:
        permission: from the table.
        resources: the ARNs; `*` where AWS knows none.
        context: the condition keys of the request, by name.
    """

    permission: Permission
    resources: tuple[str, ...]
    context: Mapping[str, str]


def to_simulate(permissions: Iterable[Permission], scope: Scope) -> tuple[Checked, ...]:
    """Give the permissions with what they are asked about; those without a resource are left out.

    Source: IAM SimulatePrincipalPolicy: ActionNames, ResourceArns, ContextEntries.
    """
    found = []
    for each in permissions:
        arns = resources(each.on, scope)
        if arns:
            asked = {
                key: value
                for keys in condition(each.on, scope).values()
                for key, value in keys.items()
            }
            found.append(Checked(each, arns, asked))
    return tuple(found)


_WIDER = {
    On.CLUSTER_ONLY: On.ANYTHING,
    On.LOCK: On.LOCKS,
    On.PARAMETERS: On.EVERY_PARAMETER,
    On.REPOSITORY: On.EVERY_REPOSITORY,
    On.SECRETS: On.EVERY_SECRET,
    On.SERVICE: On.EVERY_SERVICE,
    On.TASKS: On.EVERY_TASK,
}
"""Kinds of resource that another one has in it."""


def statements(permissions: Iterable[Permission], scope: Scope) -> list[Document]:
    """Give one statement for each set of resources and condition, sorted by it."""
    given = tuple(permissions)
    allowed = {(each.action, each.on) for each in given}
    groups: dict[str, tuple[set[str], tuple[str, ...], Condition]] = {}
    for each in given:
        if (each.action, _WIDER.get(each.on)) in allowed:
            continue
        arns, narrowed = resources(each.on, scope), condition(each.on, scope)
        if arns:
            key = json.dumps([arns, narrowed])
            groups.setdefault(key, (set(), arns, narrowed))[0].add(each.action)
    return [
        statement(sorted(actions), arns, narrowed)
        for _, (actions, arns, narrowed) in sorted(groups.items())
    ]


def statement(
    actions: Sequence[str], arns: Sequence[str], narrowed: Mapping[str, object] | None = None
) -> Document:
    """Give a statement that allows actions on resources."""
    made: Document = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": arns[0] if len(arns) == 1 else list(arns),
    }
    if narrowed:
        made["Condition"] = dict(narrowed)
    return made


def documents(made: Iterable[Document]) -> list[Document]:
    """Give policies that hold the statements, as few as fit IAM's limit; mostly one.

    Source: IAM quotas: 6,144 characters in a managed policy, white space not counted.
    """
    policies: list[list[Document]] = []
    for each in (piece for one in made for piece in _fitting(one)):
        if policies and _fits([*policies[-1], each]):
            policies[-1].append(each)
        else:
            policies.append([each])
    return [wrapped(each) for each in policies]


def _fitting(one: Document) -> list[Document]:
    """Give a statement in as many as it takes for each to fit a policy: some resources in each."""
    arns = one["Resource"]
    if isinstance(arns, str) or _fits([one]):
        return [one]
    middle = len(arns) // 2
    return [
        piece
        for half in (arns[:middle], arns[middle:])
        for piece in _fitting({**one, "Resource": half[0] if len(half) == 1 else half})
    ]


def _fits(made: Sequence[Document]) -> bool:
    return length(wrapped(made)) <= LONGEST


def length(document: Document) -> int:
    """Give how many characters IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def wrapped(made: Sequence[Document]) -> Document:
    """Give a policy that holds the statements."""
    return {"Version": _VERSION, "Statement": list(made)}


def ci_role_name(config: Config) -> str:
    """Give the name of the pipeline's role."""
    return fitted(f"{config.stack_name}-ci", ROLE_LIMIT)
