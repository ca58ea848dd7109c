"""The template of an environment's stack: only what the configuration wants is in it.

Source: CloudFormation guide, "Template anatomy"; template reference, AWS::ECS::Cluster,
AWS::Logs::LogGroup, AWS::IAM::Role.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from schoolctl.config.infra import NewVpcConfig, is_name
from schoolctl.config.models import managed_secrets
from schoolctl.iam.policy import ci_role_name, documents, wrapped
from schoolctl.iam.rules import (
    CI,
    CI_COMMANDS,
    Wanted,
    execution_role_policy,
    make_policy,
    task_role_policy,
    tasks_trust,
)
from schoolctl.infra.template_parts import (
    DATABASE,
    attribute,
    balancer_resources,
    database_outputs,
    database_resources,
    group_resources,
    named,
    public_subnets,
    ref,
    vpc_resources,
)
from schoolctl.model.stacks import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.config.models import Config
    from schoolctl.iam.policy import Document, Scope

LOG_GROUP: Final = "LogGroup"
DATA: Final = {DATABASE: "database", LOG_GROUP: "log"}
"""The resources that hold data, by logical id."""
_ANY_SECRET = "secret:rds!db-*"  # noqa: S105  # a pattern of names, not a secret


@dataclass(frozen=True)
class Place:
    """Where the stack stands, for a VPC that exists; empty for one that the stack makes."""

    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()


def make_template(scope: Scope, place: Place) -> Template:
    """Write the template of an environment.

    Args:
        scope: the configuration, and the account and region that policies name.
        place: the VPC, where one that exists is used.
    """
    config = scope.config
    resources = {
        **vpc_resources(config),
        **group_resources(config),
        **balancer_resources(config),
        **_cluster(config),
        **_roles(scope),
        **_ci_role(scope),
        **database_resources(config),
    }
    outputs = {
        name: {"Description": description, "Value": value}
        for name, (description, value) in _outputs(config).items()
    }
    parameters = _parameters(config, place)
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{config.app}, environment {config.environment}: network, load balancer,"
        " cluster, roles (schoolctl)",
        "Parameters": {name: definition for name, (definition, _) in parameters.items()},
        "Resources": resources,
        "Outputs": outputs,
    }
    return Template(
        document={key: value for key, value in document.items() if value},
        parameters={name: value for name, (_, value) in parameters.items()},
        tags={"schoolctl:app": config.app, "schoolctl:environment": config.environment},
    )


def _parameters(config: Config, place: Place) -> dict[str, tuple[Document, str]]:
    """Give the parameters' definitions and values."""
    found: dict[str, tuple[Document, str]] = {}
    if isinstance(config.infra.vpc, NewVpcConfig):
        found["VpcCidr"] = (_parameter("String", "addresses of the VPC"), config.infra.vpc.cidr)
    else:
        found["Vpc"] = (_parameter("AWS::EC2::VPC::Id", "where everything stands"), place.vpc_id)
        found["Subnets"] = (
            _parameter("List<AWS::EC2::Subnet::Id>", "of the load balancer and the tasks"),
            ",".join(place.subnet_ids),
        )
    if config.infra.certificate is not None:
        found["Certificate"] = (
            _parameter("String", "ARN of the certificate of port 443"),
            config.infra.certificate,
        )
    return found


def _parameter(kind: str, description: str) -> Document:
    return {"Type": kind, "Description": description}


def _cluster(config: Config) -> dict[str, Document]:
    insights = "enabled" if config.infra.container_insights else "disabled"
    return {
        "Cluster": {
            "Type": "AWS::ECS::Cluster",
            "Properties": {
                "ClusterName": config.service.cluster,
                "ClusterSettings": [{"Name": "containerInsights", "Value": insights}],
                "Tags": named(config, "cluster"),
            },
        },
        LOG_GROUP: {
            "Type": "AWS::Logs::LogGroup",
            # Kept when the stack goes, but not when making it fails: the next try finds it gone.
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "LogGroupName": config.task.log_group,
                "RetentionInDays": config.infra.log_retention_days,
                "Tags": named(config, "log"),
            },
        },
    }


# Roles


def _roles(scope: Scope) -> dict[str, Document]:
    """Give the roles of the tasks; one that the configuration names by its ARN exists."""
    config = scope.config
    found: dict[str, Document] = {}
    for key, name, purpose, made in (
        ("ExecutionRole", config.task.execution_role, "start", execution_role_policy(scope)),
        ("TaskRole", config.task.task_role, "settings", _task_policy(scope)),
    ):
        if name is not None and is_name(name):
            policies = [{"PolicyName": purpose, "PolicyDocument": wrapped(made)}] if made else []
            found[key] = _role(config, name, tasks_trust(scope), policies)
    return found


def _task_policy(scope: Scope) -> list[Document]:
    """Give the task role's policy; a password that RDS keeps is that of the stack's database."""
    managed = managed_secrets(scope.config)
    if not managed:
        return task_role_policy(scope)
    # A pattern of the names that RDS gives its secrets, first; then the one there is.
    stand_in = scope.arn("secretsmanager", _ANY_SECRET)
    named_so = {
        key: each.model_copy(update={"arn": stand_in}) if key in managed else each
        for key, each in scope.config.secrets.items()
    }
    config = scope.config.model_copy(update={"secrets": named_so})
    made = task_role_policy(replace(scope, config=config))
    return [_with_secret(each, stand_in) for each in made]


def _with_secret(one: Document, stand_in: str) -> Document:
    arns = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
    if not any(each.startswith(stand_in) for each in arns):
        return one
    kept = [each for each in arns if not each.startswith(stand_in)]
    secret = attribute(DATABASE, "MasterUserSecret.SecretArn")
    return {**one, "Resource": [*kept, secret] if kept else secret}


def _role(config: Config, name: str, trust: Document, policies: Sequence[Document]) -> Document:
    properties: Document = {
        "RoleName": name,
        "AssumeRolePolicyDocument": trust,
        "Tags": named(config, "role"),
    }
    if policies:
        properties["Policies"] = list(policies)
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _ci_role(scope: Scope) -> dict[str, Document]:
    """Give the role that a pipeline takes, with what a pipeline does and nothing else."""
    config, wanted = scope.config, scope.config.infra.ci_role
    if wanted is None:
        return {}
    made = make_policy(Wanted(CI, CI_COMMANDS, github=wanted.github, branch=wanted.branch), scope)
    if made.trust is None:
        raise AssertionError("the policy of a pipeline has a trust policy")
    policies = [
        {"PolicyName": f"deploy-{number}", "PolicyDocument": each}
        for number, each in enumerate(documents(made.statements), 1)
    ]
    return {"CiRole": _role(config, ci_role_name(config), made.trust, policies)}


# Outputs


def _outputs(config: Config) -> dict[str, tuple[str, Any]]:
    subnets = public_subnets(config)
    joined = {"Fn::Join": [",", subnets]}
    scheme = "https" if config.infra.certificate else "http"
    dns = attribute("LoadBalancer", "DNSName")
    found: dict[str, tuple[str, Any]] = {
        "Url": (
            "where the service is reached",
            {"Fn::Sub": f"{scheme}://${{LoadBalancer.DNSName}}/"},
        ),
        "LoadBalancerDns": ("name of the load balancer in DNS", dns),
        "Vpc": ("VPC", ref("Vpc")),
        "Subnets": ("subnets of the tasks", joined),
        "AlbGroup": ("security group of the load balancer", attribute("AlbGroup", "GroupId")),
        "ServiceGroup": ("security group of the tasks", attribute("ServiceGroup", "GroupId")),
        "DatabaseGroup": ("security group of the database", attribute("DatabaseGroup", "GroupId")),
        "TargetGroup": ("target group", ref("TargetGroup")),
        "Cluster": ("ECS cluster", ref("Cluster")),
        "LogGroup": ("log group", ref(LOG_GROUP)),
        "Repository": ("ECR repository, shared by environments", config.image.repository),
    }
    for key, name, what in (
        ("ExecutionRole", config.task.execution_role, "execution role"),
        ("TaskRole", config.task.task_role, "task role"),
    ):
        if is_name(name):
            found[key] = (what, attribute(key, "Arn"))
    if config.infra.ci_role is not None:
        found["CiRole"] = ("role of the pipeline", attribute("CiRole", "Arn"))
    return {**found, **database_outputs(config)}
