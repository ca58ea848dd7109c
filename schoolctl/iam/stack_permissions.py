"""The IAM actions of `infra`: its own calls, and what CloudFormation does for the caller.

Source: Service Authorization Reference; CloudFormation guide, "Controlling access with IAM":
without a service role, CloudFormation acts with the permissions of whoever calls it.
"""

from __future__ import annotations

from typing import Final

from schoolctl.iam.permission import Case, On, on, spare, when

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
