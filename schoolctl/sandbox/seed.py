"""The content of the sandbox's account: roles, security groups, load balancer, cluster.

Everything is looked for first, so seeding again changes nothing and repairs what was deleted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from schoolctl.aws.ec2 import authorize_ingress, list_route_tables
from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting, StaticKeys
from schoolctl.aws.session.errors import is_code, translated
from schoolctl.config.infra import balancer_name
from schoolctl.model.values import SecretValue
from schoolctl.sandbox.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_elbv2.type_defs import TargetGroupTypeDef

    from schoolctl.config.models import Config
    from schoolctl.sandbox.resources import Setup, State


_EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
_POLICY_NAME = "read-settings"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_ANYWHERE = "0.0.0.0/0"
_WEB_PORTS = (80, 443)


class Account(Resource):
    """The content of the emulator's account."""

    name = "account"

    def seed(self, setup: Setup) -> None:
        """Create what is missing, or only what an empty account of AWS's has."""
        clients = connect(setup.state, setup.region)
        try:
            if setup.config.infra.stack:
                # The account is as empty as a new one: `infra up` creates what is to be there.
                open_default_network(clients)
                return
            port = setup.state.database_port
            setup.changes += seed_account(clients, account_names(setup.config), port)
        finally:
            clients.close()


def connect(state: State, region: str) -> Clients:
    """Return the AWS clients of the emulator, with its throwaway keys."""
    keys = StaticKeys(state.access_key_id, SecretValue(state.secret_access_key))
    return Clients(
        Connection(
            credentials=Setting(None, "sandbox"),
            region=Setting(region, "sandbox"),
            endpoint_url=Setting(state.endpoint, "sandbox"),
            keys=keys,
        )
    )


def seed_account(clients: Clients, names: AccountNames, database_port: int) -> tuple[str, ...]:
    """Create what is missing of `names`; returns a line for each thing that was made.

    Args:
        clients: of the emulator.
        names: what the account is to have.
        database_port: where the sandbox's database listens, which is not 3306.
    """
    with translated("seed the local account"):
        made = [*_roles(clients, names), *_cluster(clients, names)]
        network, subnets = _default_network(clients)
        groups, lines = _groups(clients, names, network, database_port)
        made += lines
        if names.target_group is not None:
            made += _load_balancer(clients, names, network, subnets, groups[names.alb_group])
    return tuple(made)


def _roles(clients: Clients, names: AccountNames) -> list[str]:
    made = []
    for name in dict.fromkeys(each for each in (names.execution_role, names.task_role) if each):
        if not _has_role(clients, name):
            clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
            made.append(f"role {name}")
    attached = clients.iam.list_attached_role_policies(RoleName=names.execution_role)
    if not any(each["PolicyArn"] == _EXECUTION_POLICY for each in attached["AttachedPolicies"]):
        clients.iam.attach_role_policy(RoleName=names.execution_role, PolicyArn=_EXECUTION_POLICY)
    if names.task_role is not None:
        _let_read_settings(clients, names, names.task_role)
    return made


def _let_read_settings(clients: Clients, names: AccountNames, role: str) -> None:
    wanted = _settings_policy(clients.region, names)
    if _inline_policy(clients, role) != wanted:
        clients.iam.put_role_policy(
            RoleName=role, PolicyName=_POLICY_NAME, PolicyDocument=json.dumps(wanted)
        )


def _has_role(clients: Clients, name: str) -> bool:
    try:
        clients.iam.get_role(RoleName=name)
    except ClientError as error:
        if is_code(error, "NoSuchEntity"):
            return False
        raise
    return True


def _inline_policy(clients: Clients, role: str) -> Mapping[str, object] | None:
    try:
        answer = clients.iam.get_role_policy(RoleName=role, PolicyName=_POLICY_NAME)
    except ClientError as error:
        if is_code(error, "NoSuchEntity"):
            return None
        raise
    # boto3 has decoded the text already.
    return cast("Mapping[str, object]", answer["PolicyDocument"])


def _settings_policy(region: str, names: AccountNames) -> dict[str, object]:
    # The service reads its settings itself, when it starts and when a password was rotated.
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ssm:GetParameters"],
                "Resource": f"arn:aws:ssm:{region}:*:parameter{names.parameter_path}*",
            },
            {
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue"],
                "Resource": f"arn:aws:secretsmanager:{region}:*:secret:{names.secret_prefix}*",
            },
        ],
    }


def _cluster(clients: Clients, names: AccountNames) -> list[str]:
    answer = clients.ecs.describe_clusters(clusters=[names.cluster])
    if any(each.get("status") == "ACTIVE" for each in answer["clusters"]):
        return []
    clients.ecs.create_cluster(clusterName=names.cluster)
    return [f"cluster {names.cluster}"]


def _default_network(clients: Clients) -> tuple[str, list[str]]:
    network = _default_vpc(clients)
    subnets = clients.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [network]}])
    _open_network(clients, network)
    return network, sorted(each["SubnetId"] for each in subnets["Subnets"])


def _default_vpc(clients: Clients) -> str:
    networks = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
    return str(networks["Vpcs"][0]["VpcId"])


def open_default_network(clients: Clients) -> None:
    """Add the default VPC's route to the internet, which every new AWS account has."""
    with translated("seed the local account"):
        _open_network(clients, _default_vpc(clients))


def _open_network(clients: Clients, network: str) -> None:
    """Create the route to the internet, which AWS's default VPC has and the emulator's lacks."""
    tables = list_route_tables(clients, network)
    gateways = clients.ec2.describe_internet_gateways()["InternetGateways"]
    ours = [
        each["InternetGatewayId"]
        for each in gateways
        if any(attached.get("VpcId") == network for attached in each.get("Attachments", ()))
    ]
    for table in tables:
        if ours and not any(each.destination == _ANYWHERE for each in table.routes):
            clients.ec2.create_route(
                RouteTableId=table.id, DestinationCidrBlock=_ANYWHERE, GatewayId=ours[0]
            )


def _groups(
    clients: Clients, names: AccountNames, network: str, database_port: int
) -> tuple[dict[str, str], list[str]]:
    """Create the security groups of balancer, service and database; returns ids by name."""
    made: list[str] = []
    ids: dict[str, str] = {}
    for name, what in (
        (names.alb_group, "load balancer"),
        (names.service_group, "service"),
        (names.database_group, "database"),
    ):
        found = _find_group(clients, name, network)
        if found is None:
            found = clients.ec2.create_security_group(
                GroupName=name, Description=f"{what} of the sandbox", VpcId=network
            )["GroupId"]
            made.append(f"security group {name}")
        ids[name] = found
    alb, service = ids[names.alb_group], ids[names.service_group]
    wanted: tuple[tuple[str, int, str | None], ...] = (
        *((names.alb_group, port, None) for port in _WEB_PORTS),
        (names.service_group, names.port, alb),
        (names.database_group, database_port, service),
    )
    for name, port, source in wanted:
        if not _allows(clients, ids[name], port, source):
            authorize_ingress(clients, ids[name], port, source or _ANYWHERE)
            made.append(f"rule of {name} for port {port}")
    return ids, made


def _find_group(clients: Clients, name: str, network: str) -> str | None:
    found = clients.ec2.describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": [name]},
            {"Name": "vpc-id", "Values": [network]},
        ]
    )["SecurityGroups"]
    return found[0]["GroupId"] if found else None


def _allows(clients: Clients, group: str, port: int, source: str | None) -> bool:
    """Return whether `group` lets `source` (None: everybody) in on `port`."""
    rules = clients.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    for rule in rules["IpPermissions"]:
        if (rule.get("FromPort"), rule.get("ToPort")) != (port, port):
            continue
        if source is None and any(
            each.get("CidrIp") == _ANYWHERE for each in rule.get("IpRanges", [])
        ):
            return True
        if any(each.get("GroupId") == source for each in rule.get("UserIdGroupPairs", [])):
            return True
    return False


def _load_balancer(
    clients: Clients,
    names: AccountNames,
    network: str,
    subnets: Sequence[str],
    alb_group: str,
) -> list[str]:
    made: list[str] = []
    target_group = _find_target_group(clients, names)
    if target_group is None:
        target_group = _create_target_group(clients, names, network)
        made.append(f"target group {names.target_group}")
    balancer = _find_balancer(clients, names.load_balancer)
    if balancer is None:
        balancer = clients.elbv2.create_load_balancer(
            Name=names.load_balancer,
            Subnets=list(subnets),
            SecurityGroups=[alb_group],
            Scheme="internet-facing",
            Type="application",
        )["LoadBalancers"][0]["LoadBalancerArn"]
        made.append(f"load balancer {names.load_balancer}")
    listeners = clients.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    if not any(each.get("Port") == _WEB_PORTS[0] for each in listeners):
        clients.elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=_WEB_PORTS[0],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group["TargetGroupArn"]}],
        )
        made.append(f"listener of {names.load_balancer} for port {_WEB_PORTS[0]}")
    return made


def _find_target_group(clients: Clients, names: AccountNames) -> TargetGroupTypeDef | None:
    try:
        found = clients.elbv2.describe_target_groups(Names=[str(names.target_group)])
    except ClientError as error:
        if is_code(error, "TargetGroupNotFound", "TargetGroupNotFoundException"):
            return None
        raise
    return found["TargetGroups"][0] if found["TargetGroups"] else None


def _create_target_group(clients: Clients, names: AccountNames, network: str) -> TargetGroupTypeDef:
    group = clients.elbv2.create_target_group(
        Name=str(names.target_group),
        Protocol="HTTP",
        Port=names.port,
        VpcId=network,
        TargetType="ip",
        HealthCheckPath=names.health_path,
        HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=3,
    )["TargetGroups"][0]
    # The default of 300 seconds is for requests that take minutes.
    clients.elbv2.modify_target_group_attributes(
        TargetGroupArn=group["TargetGroupArn"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
    )
    return group


def _find_balancer(clients: Clients, name: str) -> str | None:
    try:
        found = clients.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
    except ClientError as error:
        if is_code(error, "LoadBalancerNotFound", "LoadBalancerNotFoundException"):
            return None
        raise
    return found[0]["LoadBalancerArn"] if found else None


_BALANCER_LIMIT = 32


@dataclass(frozen=True)
class AccountNames:
    """The things that a deployment finds in its account.

    Attributes:
        task_role: None for a service whose code calls no AWS API.
        target_group: None for a service without a load balancer.
    """

    cluster: str
    execution_role: str
    task_role: str | None
    alb_group: str
    service_group: str
    database_group: str
    load_balancer: str
    target_group: str | None
    port: int
    health_path: str
    parameter_path: str
    secret_prefix: str


def account_names(config: Config) -> AccountNames:
    """Return the names in `config`; of an ARN, its last part."""
    group = config.service.target_group
    balancer = f"{config.app}-alb".replace("_", "-")[:_BALANCER_LIMIT].strip("-")
    if config.infra.stack:
        balancer = balancer_name(config.app, config.environment)
    return AccountNames(
        cluster=_name(config.service.cluster),
        execution_role=_name(config.task.execution_role),
        task_role=None if config.task.task_role is None else _name(config.task.task_role),
        alb_group=config.network.alb_group,
        service_group=config.network.service_group,
        database_group=config.network.database_group,
        load_balancer=balancer,
        target_group=None if group is None else _target_group_name(group),
        port=config.task.port,
        health_path=config.task.health_path,
        parameter_path=f"/{config.app}/{config.environment}/",
        secret_prefix=f"{config.app}/{config.environment}/",
    )


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _target_group_name(name_or_arn: str) -> str:
    # arn:aws:elasticloadbalancing:R:A:targetgroup/NAME/0123456789abcdef
    parts = name_or_arn.split("/")
    return parts[1] if name_or_arn.startswith("arn:") else name_or_arn
