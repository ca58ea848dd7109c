"""The IAM actions that each command needs, on which resources, and which it can do without.

This is the one table: `iam policy` writes policies from it, `doctor` simulates it, an error finds
in it which policy has the action that is missing. A test ties it to the calls that commands make.

An action is not always an operation: passing a role, tagging while registering, and the
registry's own requests (`PUT /v2/...`) are authorised, too. GetCallerIdentity needs no permission.

Source: Service Authorization Reference; ECS guide, "Identity-based policy examples"; ECR guide,
"IAM permissions for pushing an image".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.iam import permission
from schoolctl.iam.permission import Case, On, Permission, Permissions
from schoolctl.iam.permission import on as _on
from schoolctl.iam.permission import spare as _spare
from schoolctl.iam.permission import when as _when

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["LOCAL", "Case", "On", "Permission", "Permissions", "commands", "permissions_of"]


def _but_needed(case: Case, *permissions: Permission) -> Permissions:
    return tuple(replace(each, needed_when=case) for each in permissions)


# ECR

_TOKEN = _on(On.ANYTHING, "ecr:GetAuthorizationToken")
_REPOSITORY = _on(On.REPOSITORY, "ecr:DescribeRepositories")
_IMAGES = _on(On.REPOSITORY, "ecr:DescribeImages")
_MANIFESTS = _on(On.REPOSITORY, "ecr:BatchGetImage")
_BLOBS = _on(On.REPOSITORY, "ecr:GetDownloadUrlForLayer")
_UPLOAD = _on(
    On.REPOSITORY,
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)
_CREATE_REPOSITORY = _on(On.REPOSITORY, "ecr:CreateRepository", "ecr:TagResource")
_INSIDE = (*_TOKEN, *_MANIFESTS, *_BLOBS)
_COMMIT = _spare("the commit that the image was built from is not told", *_INSIDE)

# ECS

_SERVICE = _on(On.SERVICE, "ecs:DescribeServices")
_REVISION = _on(On.ANYTHING, "ecs:DescribeTaskDefinition")
_REVISIONS = _on(On.ANYTHING, "ecs:ListTaskDefinitions")
_TASKS = (*_on(On.CLUSTER_ONLY, "ecs:ListTasks"), *_on(On.TASKS, "ecs:DescribeTasks"))
_LISTED = (
    *_on(On.SERVICE, "ecs:ListServiceDeployments"),
    *_on(On.SERVICE_REVISIONS, "ecs:DescribeServiceRevisions"),
)
_RECORD = (*_LISTED, *_on(On.SERVICE_DEPLOYMENTS, "ecs:DescribeServiceDeployments"))
_UPDATE = _on(On.SERVICE, "ecs:UpdateService")
_STOP_ROLLOUT = _spare(
    "the rollout in progress is not stopped, but replaced by an update",
    *_when(Case.ENDED_ROLLOUT, *_on(On.SERVICE_DEPLOYMENTS, "ecs:StopServiceDeployment")),
)
_PASS_ROLES = _on(On.PASSED_ROLES, "iam:PassRole")
_REGISTER = (*_on(On.FAMILY, "ecs:RegisterTaskDefinition", "ecs:TagResource"), *_PASS_ROLES)
_MARK = _spare("that the revision completed is not noted on it", *_on(On.FAMILY, "ecs:TagResource"))
_DEREGISTER = _on(On.ANYTHING, "ecs:DeregisterTaskDefinition")
_RUN_TASK = (
    *_on(On.FAMILY_IN_CLUSTER, "ecs:RunTask"),
    *_on(On.TASKS, "ecs:DescribeTasks"),
    *_spare("a task that takes too long is not stopped", *_on(On.TASKS, "ecs:StopTask")),
    *_PASS_ROLES,
)
_EVERYWHERE = (
    *_on(On.ANYTHING, "ecs:ListClusters", "ecs:ListServices", "ecs:ListTasks"),
    *_on(On.EVERY_SERVICE, "ecs:DescribeServices"),
    *_on(On.EVERY_TASK, "ecs:DescribeTasks"),
)
"""What runs in every cluster of the account and region."""
_USES = (
    *_EVERYWHERE,
    *_on(On.ANYTHING, "ecs:ListTaskDefinitionFamilies"),
    *_REVISIONS,
    *_REVISION,
)

# What is around the service

_LOCK = (
    *_on(On.LOCK, "ssm:PutParameter"),
    *_spare(
        "the deploy lock stays until its lease runs out",
        *_on(On.LOCK, "ssm:GetParameter", "ssm:DeleteParameter"),
    ),
)
_LOCKS = tuple(replace(each, on=On.LOCKS) for each in _LOCK)
_ROLES = _spare("that the roles exist is not verified", *_on(On.ROLES, "iam:GetRole"))
_SECRETS = _on(On.SECRETS, "secretsmanager:DescribeSecret")
_PARAMETERS = _on(On.PARAMETERS, "ssm:GetParameters")
_LOOK_AT_PARAMETERS = _spare("that the parameters exist is not verified", *_PARAMETERS)
_AROUND = (
    *_on(On.ANYTHING, "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
    *_when(Case.TARGET_GROUP, *_on(On.ANYTHING, "elasticloadbalancing:DescribeTargetGroups")),
)
_PLACES = (
    *_but_needed(
        Case.CREATION,
        *_spare("that the service's network and load balancer are right is not verified", *_AROUND),
    ),
    *_spare(
        "whether the log group exists is not verified", *_on(On.ANYTHING, "logs:DescribeLogGroups")
    ),
)
_TARGETS = _when(Case.TARGET_GROUP, *_on(On.ANYTHING, "elasticloadbalancing:DescribeTargetHealth"))
_AUTO_SCALING = _when(
    Case.AUTO_SCALING,
    *_on(
        On.SCALABLE_TARGETS,
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:DeregisterScalableTarget",
    ),
    *_on(
        On.ANYTHING,
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions",
    ),
    *_on(On.SERVICE_LINKED_ROLES, "iam:CreateServiceLinkedRole"),
    # Application Auto Scaling tries these in the caller's name before it takes a policy.
    *_on(On.EVERY_ALARM, "cloudwatch:DescribeAlarms"),
    *_on(On.ALARMS, "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
)
"""Source: ECS guide, "IAM permissions required for Amazon ECS service auto scaling"."""
_TASK_LOG = _on(On.LOG_STREAMS, "logs:GetLogEvents")
_LOGS = _on(On.LOG_GROUP, "logs:FilterLogEvents")

# What several commands do

_FIND_IMAGE = (*_REPOSITORY, *_IMAGES)
_TASK_DEFINITION = (*_FIND_IMAGE, *_COMMIT, *_REVISION, *_ROLES, *_SECRETS)
_WATCH = (
    *_SERVICE,
    *_spare("whether tasks have stopped meanwhile is not verified", *_TASKS),
    *_spare("whether the load balancer finds the tasks healthy is not verified", *_TARGETS),
)
"""A service, until its tasks run."""
_FOLLOW = (
    *_WATCH,
    *_spare("what ECS's own record tells of the rollout is left out", *_RECORD),
)
"""A rollout and its verdict."""
_EXPLAIN = _spare("the last log lines of a task that failed are not shown", *_TASK_LOG)
_FRESHNESS = _spare(
    "which values changed after the tasks started is not known", *_PARAMETERS, *_SECRETS
)

_DEPLOY = (
    *_LOCK,
    *permission.TAKE,
    *_TASK_DEFINITION,
    *_LOOK_AT_PARAMETERS,
    *_PLACES,
    *_REGISTER,
    *_UPDATE,
    *_when(
        Case.CREATION,
        *_on(On.SERVICE, "ecs:CreateService"),
        *_on(On.LOG_GROUP, "logs:CreateLogGroup"),
    ),
    *_FOLLOW,
    *_EXPLAIN,
    *_STOP_ROLLOUT,
)
_OUTPUT = _spare("what the task writes is not shown", *_TASK_LOG)
_RELEASE = _when(Case.RELEASE_COMMAND, *_RUN_TASK, *_OUTPUT)
_PUSH = (
    *_REPOSITORY,
    *_TOKEN,
    *_MANIFESTS,
    *_UPLOAD,
    *_when(Case.TAG_TAKEN, *_BLOBS),
    *_when(Case.CREATE_REPOSITORY, *_CREATE_REPOSITORY),
    *_spare(
        "what ECR's scan found is not known",
        *_when(Case.SCAN, *_on(On.REPOSITORY, "ecr:DescribeImageScanFindings")),
    ),
    *_spare(
        "the repository's own policy is not read",
        *_when(Case.REFUSED, *_on(On.REPOSITORY, "ecr:GetRepositoryPolicy")),
    ),
)
_USE = _spare(
    "whether the running tasks have the newest values is not known", *_SERVICE, *_TASKS, *_REVISION
)
_DATABASES = (
    *_on(On.EVERY_DATABASE, "rds:DescribeDBInstances"),
    *_on(On.EVERY_DATABASE_CLUSTER, "rds:DescribeDBClusters"),
)
_FROM_RDS = _when(Case.FROM_RDS, *_DATABASES)
_SET_VALUES = (
    *_spare("values that are there are not compared, and written in any case", *_PARAMETERS),
    *_on(On.PARAMETERS, "ssm:PutParameter"),
)
_SET_SECRETS = (
    *_SECRETS,
    *_spare(
        "values that are there are not compared, and written in any case",
        *_on(On.SECRETS, "secretsmanager:GetSecretValue"),
    ),
    *_on(On.SECRETS, "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"),
)
_LOOK_AT_IMAGES = (
    *_FIND_IMAGE,
    *_spare("what stands inside the images is not shown", *_INSIDE),
    *_spare("what uses the images is not known", *_USES),
)

_RULES = _on(
    On.ANYTHING,
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
)
_WAYS = _on(On.ANYTHING, "ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints")
_NETWORK = (
    *_RULES,
    *_spare("what the service uses is not known", *_SERVICE),
    *_when(
        Case.TARGET_GROUP,
        *_spare(
            "the target group and the load balancer's groups are not known",
            *_on(
                On.ANYTHING,
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTargetGroups",
            ),
        ),
    ),
    *_spare("what the database uses is not known", *_DATABASES, *_PARAMETERS),
    *_spare("the ways to AWS's own APIs are not verified", *_WAYS),
    *_spare(
        "who else has the security groups is not known",
        *_on(On.ANYTHING, "ec2:DescribeNetworkInterfaces"),
    ),
)

LOCAL = frozenset(
    {
        "build",
        "config check",
        "config schema",
        "config show",
        "iam policy",
        "profile list",
        "profile show",
        "profile use",
        "sandbox down",
        "sandbox logs",
        "sandbox status",
        "sandbox up",
    }
)
"""The commands that need no permission: they ask AWS nothing, or only who the caller is."""

_OF_COMMANDS: dict[str, Permissions] = {
    "deploy": (*_DEPLOY, *_RELEASE),
    "diff": (
        *permission.TAKE,
        *_TASK_DEFINITION,
        *_LOOK_AT_PARAMETERS,
        *_PLACES,
        *_SERVICE,
        *_spare("which values changed after the tasks started is not known", *_TASKS),
    ),
    "doctor": _spare(
        "what it is about is not verified",
        *permission.TAKE,
        *_FIND_IMAGE,
        *_MANIFESTS,
        *_PARAMETERS,
        *_SECRETS,
        *_ROLES,
        *_SERVICE,
        *_REVISION,
        *_PLACES,
        *_when(
            Case.TARGET_GROUP,
            *_on(
                On.ANYTHING,
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeLoadBalancers",
            ),
        ),
        *_RULES,
        *_DATABASES,
        *_WAYS,
        *_on(On.LOCK, "ssm:GetParameter"),
        *_on(On.PRINCIPALS, "iam:SimulatePrincipalPolicy"),
    ),
    "events": _SERVICE,
    "exec": (
        *_SERVICE,
        *_TASKS,
        *_REVISION,
        *_on(On.SESSIONS, "ecs:ExecuteCommand"),
    ),
    "history": (
        *_SERVICE,
        *_REVISIONS,
        *_REVISION,
        *_spare("deployments that failed may be missing", *_LISTED),
        *_spare("where a rollback goes is not known", *_FIND_IMAGE),
    ),
    "images list": _LOOK_AT_IMAGES,
    "images prune": (
        *_LOCKS,
        *_FIND_IMAGE,
        *_MANIFESTS,
        *_USES,
        *_on(On.REPOSITORY, "ecr:BatchDeleteImage"),
        *_when(Case.DEREGISTER, *_DEREGISTER),
    ),
    "images show": _LOOK_AT_IMAGES,
    # Which service it is, and what that uses, nobody knows before.
    "init": _when(
        Case.FROM_SERVICE,
        *_on(On.EVERY_SERVICE, "ecs:DescribeServices"),
        *_REVISION,
        *_spare(
            "whether the image is in a repository of the account is not known",
            *_on(On.EVERY_REPOSITORY, "ecr:DescribeRepositories", "ecr:DescribeImages"),
        ),
        *_spare(
            "the parameters' types are not known", *_on(On.EVERY_PARAMETER, "ssm:GetParameters")
        ),
        *_spare(
            "the secrets' names are not known",
            *_on(On.EVERY_SECRET, "secretsmanager:DescribeSecret"),
        ),
        *_spare(
            "the security groups' names are not known",
            *_on(On.ANYTHING, "ec2:DescribeSecurityGroups"),
        ),
        *_spare(
            "the target group's name is not known",
            *_on(On.ANYTHING, "elasticloadbalancing:DescribeTargetGroups"),
        ),
    ),
    "infra down": (*_LOCK, *permission.DOWN),
    "infra outputs": permission.LOOK,
    "infra plan": (*_REPOSITORY, *permission.PLAN),
    "infra status": permission.STATUS,
    "infra up": (*_LOCK, *_REPOSITORY, *_CREATE_REPOSITORY, *permission.UP),
    "lock release": _on(On.LOCK, "ssm:GetParameter", "ssm:DeleteParameter"),
    "lock show": _on(On.LOCK, "ssm:GetParameter"),
    "login": _TOKEN,
    "logs": (
        *_spare("where the service logs to is taken from schoolctl.yaml", *_SERVICE, *_REVISION),
        *_LOGS,
    ),
    "network apply": (
        *_LOCK,
        *_NETWORK,
        *_on(On.NEW_SECURITY_GROUPS, "ec2:CreateSecurityGroup"),
        *_on(On.TAGS_OF_NEW_GROUPS, "ec2:CreateTags"),
        *_on(
            On.SECURITY_GROUPS,
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
        ),
        *_when(Case.FIX, *_on(On.SECURITY_GROUPS, "ec2:RevokeSecurityGroupIngress")),
    ),
    "network check": _NETWORK,
    "params delete": (
        *_PARAMETERS,
        *_on(On.PARAMETERS, "ssm:DeleteParameter"),
        *_USE,
    ),
    "params diff": (
        *permission.TAKE_SECRET,
        *_SECRETS,
        *_spare(
            "values that may not be read are not compared",
            *_PARAMETERS,
            *_on(On.SECRETS, "secretsmanager:GetSecretValue"),
        ),
    ),
    "params export": _PARAMETERS,
    "params get": _PARAMETERS,
    "params history": _on(On.PARAMETERS, "ssm:GetParameterHistory"),
    "params import": (*permission.TAKE_SECRET, *_SET_VALUES, *_SET_SECRETS),
    "params list": (
        *_PARAMETERS,
        *_spare("who changed them is not told", *_on(On.ANYTHING, "ssm:DescribeParameters")),
        *_USE,
    ),
    "params set": (
        *permission.TAKE_SECRET,
        *permission.TAKE_DATABASE,
        *_SET_VALUES,
        *_SET_SECRETS,
        *_FROM_RDS,
    ),
    "pull": (*_FIND_IMAGE, *_INSIDE),
    "push": _PUSH,
    "repo create": (*_REPOSITORY, *_CREATE_REPOSITORY),
    "repo show": _REPOSITORY,
    "restart": (*_LOCK, *_REVISION, *_UPDATE, *_MARK, *_FOLLOW, *_EXPLAIN),
    "rollback": (
        *_LOCK,
        *_on(On.LOCK, "ssm:GetParameter"),
        *_FIND_IMAGE,
        *_REVISION,
        *_REVISIONS,
        *_UPDATE,
        *_PASS_ROLES,
        *_MARK,
        *_FOLLOW,
        *_EXPLAIN,
        *_STOP_ROLLOUT,
    ),
    "run": (
        *_SERVICE,
        *_REVISION,
        *_when(Case.TAG, *_FIND_IMAGE, *_REVISIONS),
        *_RUN_TASK,
        *_OUTPUT,
    ),
    "scale": (
        *_LOCK,
        *_UPDATE,
        *_WATCH,
        *_spare("why tasks fail is not told in full", *_REVISION),
        *_EXPLAIN,
        *_spare(
            "whether auto scaling manages the count is not verified",
            *_but_needed(
                Case.AUTO_SCALING,
                *_on(On.ANYTHING, "application-autoscaling:DescribeScalableTargets"),
            ),
        ),
        *_AUTO_SCALING,
        # For the name by which auto scaling counts its requests.
        *_when(Case.TARGET_GROUP, *_on(On.ANYTHING, "elasticloadbalancing:DescribeTargetGroups")),
    ),
    "secrets list": (
        *permission.TAKE_SECRET,
        *_SECRETS,
        *_spare("whether the running tasks need a restart is not known", *_TASKS, *_REVISION),
    ),
    "secrets rotate": (
        *permission.TAKE_SECRET,
        *_LOCK,
        *_on(On.LOCK, "ssm:GetParameter"),
        *_SECRETS,
        *_on(
            On.SECRETS,
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ),
        *_when(Case.MANAGED, *_on(On.SECRETS, "secretsmanager:RotateSecret")),
        *_SERVICE,
        *_spare(
            "whether an earlier rotation is still going on is not verified",
            *_on(On.CLUSTER_ONLY, "ecs:ListTasks"),
        ),
        *_RUN_TASK,
        *_OUTPUT,
        *_REVISION,
    ),
    "secrets set": (
        *permission.TAKE_SECRET,
        *_SET_SECRETS,
        *_when(Case.RESTORE, *_on(On.SECRETS, "secretsmanager:RestoreSecret")),
    ),
    "status": (
        *permission.TAKE_SECRET,
        *_SERVICE,
        *_spare("the image is not known", *_REVISION),
        *_spare("the tasks are not known", *_TASKS),
        *_spare("the targets' health is not known", *_TARGETS),
        *_FRESHNESS,
        *_spare(
            "whether somebody deploys just now is not known", *_on(On.LOCK, "ssm:GetParameter")
        ),
        *_spare(
            "whether auto scaling manages the count is not known",
            *_on(On.ANYTHING, "application-autoscaling:DescribeScalableTargets"),
        ),
    ),
    "taskdef deregister": (*_LOCK, *_EVERYWHERE, *_REVISION, *_DEREGISTER),
    "taskdef diff": (*permission.TAKE_SECRET, *_TASK_DEFINITION, *_SERVICE),
    "taskdef list": (*_REVISIONS, *_REVISION),
    "taskdef register": (*permission.TAKE_SECRET, *_TASK_DEFINITION, *_REGISTER),
    "taskdef render": (*permission.TAKE_SECRET, *_TASK_DEFINITION),
    "tasks": (*_SERVICE, *_TASKS),
    "wait": (
        *_FOLLOW,
        *_REVISION,
        *_EXPLAIN,
        *_MARK,
    ),
    "why": (
        *_SERVICE,
        *_spare("what ECS's own record tells of the deployment is left out", *_LISTED),
        *_spare("what the stopped tasks say is not known", *_TASKS),
        *_spare("where a task logs to is not known", *_REVISION),
        *_spare("the targets' health is not known", *_TARGETS),
        *_spare("the last log lines of a task that failed are not shown", *_TASK_LOG),
    ),
}


def commands() -> tuple[str, ...]:
    """Give the commands that need permissions, sorted."""
    return tuple(sorted(_OF_COMMANDS))


def permissions_of(*of: str, absent: Collection[Case] = ()) -> Permissions:
    """Give what commands need, each action on each kind of resource once.

    What one of them cannot do without is needed; what all of them can spare is optional.

    Args:
        of: commands as `schoolctl --help` spells them, such as `params set`; one that asks AWS
            nothing needs nothing.
        absent: cases that cannot be.

    Raises:
        KeyError: there is no such command.
    """
    found: dict[tuple[str, On], Permission] = {}
    wanted = [each for command in of if command not in LOCAL for each in _OF_COMMANDS[command]]
    for each in wanted:
        if each.when not in absent:
            before = found.get((each.action, each.on))
            found[each.action, each.on] = each if before is None else _joined(before, each)
    return tuple(found.values())


def _joined(first: Permission, second: Permission) -> Permission:
    return replace(
        first,
        without=first.without and second.without,
        when=first.when if first.when is second.when else None,
    )
