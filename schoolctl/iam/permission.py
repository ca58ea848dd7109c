"""The type of a permission, and the permissions of the `infra` commands. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Final


class On(Enum):
    """What an action is allowed on; `plan/policy.py` knows the ARNs of a configuration."""

    ANYTHING = auto()
    """`*`: AWS knows no resource for the action."""
    CLUSTER_ONLY = auto()
    """`*`, where the request names the service's cluster."""
    REPOSITORY = auto()
    SERVICE = auto()
    SERVICE_DEPLOYMENTS = auto()
    SERVICE_REVISIONS = auto()
    TASKS = auto()
    SESSIONS = auto()
    """The cluster and its tasks: what a session of ECS Exec is opened in."""
    EVERY_DATABASE = auto()
    EVERY_DATABASE_CLUSTER = auto()
    EVERY_PARAMETER = auto()
    EVERY_REPOSITORY = auto()
    EVERY_SECRET = auto()
    EVERY_SERVICE = auto()
    EVERY_TASK = auto()
    FAMILY = auto()
    FAMILY_IN_CLUSTER = auto()
    """The revisions of the family, run in the service's cluster."""
    PRINCIPALS = auto()
    """Every role and user of the account: who it is that calls, only the call tells."""
    ROLES = auto()
    PASSED_ROLES = auto()
    """The roles, handed to ECS's tasks and to nothing else."""
    LOG_GROUP = auto()
    LOG_STREAMS = auto()
    PARAMETERS = auto()
    SECRETS = auto()
    LOCK = auto()
    SECURITY_GROUPS = auto()
    """The app's security groups, by their tag."""
    NEW_SECURITY_GROUPS = auto()
    """Security groups that are created, and the VPC that they are created in."""
    TAGS_OF_NEW_GROUPS = auto()
    """The tags of a security group, while it is created."""
    LOCKS = auto()
    """The locks of every environment that shares the repository."""
    STACK = auto()
    THROUGH_STACK = auto()
    """`*`, where CloudFormation asks in the caller's name."""
    ROLES_OF_STACK = auto()
    """The roles that the stack makes, where CloudFormation asks in the caller's name."""
    DATABASES = auto()
    """The databases that the stack makes."""
    IDENTITY_PROVIDER = auto()
    SCALABLE_TARGETS = auto()
    """What auto scaling manages: AWS gives it an id that no name tells."""
    ALARMS = auto()
    """The alarms that auto scaling makes for the service's policies, in the caller's name."""
    EVERY_ALARM = auto()
    SERVICE_LINKED_ROLES = auto()
    """The roles that AWS's services make for themselves, where an account first uses them."""


class Case(StrEnum):
    """What some runs need a permission for; the first five are decided by the configuration."""

    STACK = "the environment has a stack of its own"
    DATABASE = "the stack has a database"
    PIPELINE = "the stack has a role for a pipeline"
    TARGET_GROUP = "there is a target group"
    RELEASE_COMMAND = "there is a release command"
    AUTO_SCALING = "limits or goals of auto scaling, or its end"
    CREATION = "the service or its log group does not exist yet"
    CREATE_REPOSITORY = "--create-repo"
    DELETE_DATA = "--delete-data"
    DEREGISTER = "--deregister"
    ENDED_ROLLOUT = "a rollout in progress is ended"
    FIX = "--fix"
    FROM_RDS = "--from-rds"
    FROM_SERVICE = "--from-service"
    MANAGED = "Secrets Manager rotates the secret"
    REFUSED = "the registry refuses the push"
    RESTORE = "--restore"
    SCAN = "the repository scans on push"
    TAG_TAKEN = "the tag is there already"
    TAG = "--tag"


@dataclass(frozen=True)
class Permission:
    """An action that a command needs.

    Attributes:
        action: such as `ecr:PutImage`.
        on: what it is allowed on.
        without: what is not verified or not told where it is denied, as a sentence; empty where
            the command cannot do without.
        when: the case that needs it; None where every run may.
        needed_when: the case in which the command cannot do without after all.
    """

    action: str
    on: On
    without: str = ""
    when: Case | None = None
    needed_when: Case | None = None

    @property
    def is_optional(self) -> bool:
        """Whether the command goes on without it, and says what was left out."""
        return bool(self.without)

    @property
    def can_be_left_out(self) -> bool:
        """Whether a policy may lack it: a read that is always spared, and frees no lock."""
        reads = self.action.partition(":")[2].startswith(("BatchGet", "Describe", "Get", "List"))
        on_lock = self.on in {On.LOCK, On.LOCKS}
        return self.is_optional and reads and not on_lock and self.needed_when is None


Permissions = tuple[Permission, ...]


def on(where: On, *actions: str) -> Permissions:
    """Give permissions for actions on one kind of resource."""
    return tuple(Permission(action, where) for action in actions)


def spare(without: str, *permissions: Permission) -> Permissions:
    """Give permissions that a command can do without, with what it then leaves out."""
    return tuple(replace(each, without=without) for each in permissions)


def when(case: Case, *permissions: Permission) -> Permissions:
    """Give permissions that are needed in one case alone."""
    return tuple(replace(each, when=case) for each in permissions)


_LOOK: Final = ("cloudformation:DescribeStacks",)
_PLAN: Final = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DeleteChangeSet",
)
_LAY: Final = (
    "cloudformation:ExecuteChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DeleteStack",
    "cloudformation:TagResource",
    "cloudformation:UpdateTerminationProtection",
)
_DRIFT: Final = (
    "cloudformation:DetectStackDrift",
    "cloudformation:DescribeStackResourceDrifts",
)
_DRIFT_STATUS: Final = ("cloudformation:DescribeStackDriftDetectionStatus",)
"""What AWS knows no resource for."""

_THROUGH_CLOUDFORMATION: Final = (
    "ec2:AssociateRouteTable",
    "ec2:AttachInternetGateway",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateInternetGateway",
    "ec2:CreateRoute",
    "ec2:CreateRouteTable",
    "ec2:CreateSecurityGroup",
    "ec2:CreateSubnet",
    "ec2:CreateTags",
    "ec2:CreateVpc",
    "ec2:DeleteInternetGateway",
    "ec2:DeleteRoute",
    "ec2:DeleteRouteTable",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSubnet",
    "ec2:DeleteTags",
    "ec2:DeleteVpc",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:DetachInternetGateway",
    "ec2:DisassociateRouteTable",
    "ec2:ModifySubnetAttribute",
    "ec2:ModifyVpcAttribute",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "ecs:CreateCluster",
    "ecs:DeleteCluster",
    "ecs:DescribeClusters",
    "ecs:PutClusterCapacityProviders",
    "ecs:TagResource",
    "ecs:UntagResource",
    "ecs:UpdateCluster",
    "ecs:UpdateClusterSettings",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:DeleteListener",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RemoveTags",
    "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DescribeLogGroups",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
)
"""What the resources of every stack need, while CloudFormation makes, changes or deletes them."""
_ROLES: Final = (
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
)
"""What the roles of the tasks, and of the pipeline, need."""
_DATABASE: Final = (
    "kms:CreateGrant",
    "kms:DescribeKey",
    "rds:AddTagsToResource",
    "rds:CreateDBInstance",
    "rds:CreateDBParameterGroup",
    "rds:CreateDBSnapshot",
    "rds:CreateDBSubnetGroup",
    "rds:DeleteDBInstance",
    "rds:DeleteDBParameterGroup",
    "rds:DeleteDBSubnetGroup",
    "rds:DescribeDBInstances",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBParameters",
    "rds:DescribeDBSnapshots",
    "rds:DescribeDBSubnetGroups",
    "rds:DescribeEngineDefaultParameters",
    "rds:ListTagsForResource",
    "rds:ModifyDBInstance",
    "rds:ModifyDBParameterGroup",
    "rds:ModifyDBSubnetGroup",
    "rds:RebootDBInstance",
    "rds:RemoveTagsFromResource",
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",
)
"""What a database needs; its secret is made in the caller's name, too."""

# What commands need

LOOK: Final = on(On.STACK, *_LOOK)
TAKE: Final = when(Case.STACK, *LOOK)
"""To take ids from the stack."""
TAKE_SECRET: Final = when(Case.DATABASE, *LOOK)
"""To know the secret of the stack's database."""
TAKE_DATABASE: Final = when(Case.DATABASE, *on(On.DATABASES, "rds:DescribeDBInstances"))
PLAN: Final = (
    *on(On.STACK, *_LOOK, *_PLAN),
    *on(On.ANYTHING, "ec2:DescribeSubnets"),
    *when(Case.PIPELINE, *on(On.ANYTHING, "iam:ListOpenIDConnectProviders")),
)
_CHANGE: Final = (
    *on(On.STACK, *_LAY),
    *on(On.THROUGH_STACK, *_THROUGH_CLOUDFORMATION),
    *on(On.ROLES_OF_STACK, *_ROLES),
    *on(On.SERVICE_LINKED_ROLES, "iam:CreateServiceLinkedRole"),
    *when(Case.DATABASE, *on(On.THROUGH_STACK, *_DATABASE)),
)
UP: Final = (
    *PLAN,
    *_CHANGE,
    *when(Case.PIPELINE, *on(On.IDENTITY_PROVIDER, "iam:CreateOpenIDConnectProvider")),
)
STATUS: Final = (
    *on(On.STACK, *_LOOK, "cloudformation:DescribeStackEvents"),
    *spare(
        "what was changed by hand is not known",
        *on(On.STACK, *_DRIFT),
        *on(On.ANYTHING, *_DRIFT_STATUS),
    ),
)
DOWN: Final = (
    *LOOK,
    *_CHANGE,
    *on(On.ANYTHING, "ecs:ListServices"),
    *on(On.CLUSTER_ONLY, "ecs:ListTasks"),
    *on(On.EVERY_SERVICE, "ecs:DescribeServices"),
    *on(On.SERVICE, "ecs:DeleteService"),
    *when(
        Case.DATABASE,
        *on(
            On.DATABASES,
            "rds:DescribeDBInstances",
            "rds:ModifyDBInstance",
            "rds:DeleteDBInstance",
        ),
    ),
    *when(Case.DELETE_DATA, *on(On.LOG_GROUP, "logs:DeleteLogGroup")),
)
