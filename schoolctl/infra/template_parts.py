"""The template's network and database: VPC, groups, load balancer, RDS MySQL.

Source: CloudFormation template reference, AWS::RDS::DBInstance; RDS guide, "Requiring SSL/TLS for
all connections to a MySQL DB instance" and "Password management with RDS and Secrets Manager".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schoolctl.config.infra import STACK_TAG, TIER_TAG, DatabaseConfig, NewVpcConfig, balancer_name
from schoolctl.network.state import told_database_port

if TYPE_CHECKING:
    from schoolctl.config.models import Config


DATABASE = "Database"
"""The database's logical id."""


def database_resources(config: Config) -> dict[str, dict[str, Any]]:
    """Give the RDS instance and what it stands in; empty where none is wanted.

    It has no name of its own, so that one which has to be replaced can be; its last state is kept
    in a snapshot whatever becomes of it.
    """
    wanted = config.infra.database
    if not isinstance(wanted, DatabaseConfig):
        return {}
    major = ".".join(wanted.engine_version.split(".")[:2])
    return {
        "DatabaseSubnets": {
            "Type": "AWS::RDS::DBSubnetGroup",
            "Properties": {
                "DBSubnetGroupDescription": f"database of {config.stack_name}",
                "SubnetIds": database_subnets(config),
                "Tags": named(config, "database"),
            },
        },
        "DatabaseSettings": {
            "Type": "AWS::RDS::DBParameterGroup",
            "Properties": {
                "Description": f"database of {config.stack_name}",
                "Family": f"mysql{major}",
                "Parameters": {"require_secure_transport": "1"},
                "Tags": named(config, "database"),
            },
        },
        DATABASE: {
            "Type": "AWS::RDS::DBInstance",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {
                "Engine": "mysql",
                "EngineVersion": wanted.engine_version,
                "DBInstanceClass": wanted.instance_class,
                "AllocatedStorage": str(wanted.storage),
                "MaxAllocatedStorage": wanted.max_storage,
                "StorageType": "gp3",
                "StorageEncrypted": True,
                "DBName": wanted.name,
                "Port": str(MYSQL_PORT),
                "MasterUsername": wanted.user,
                "ManageMasterUserPassword": True,
                "DBSubnetGroupName": ref("DatabaseSubnets"),
                "DBParameterGroupName": ref("DatabaseSettings"),
                "VPCSecurityGroups": [attribute("DatabaseGroup", "GroupId")],
                "PubliclyAccessible": False,
                "MultiAZ": wanted.multi_az,
                "BackupRetentionPeriod": wanted.backup_days,
                "CopyTagsToSnapshot": True,
                "DeletionProtection": wanted.deletion_protection,
                "AutoMinorVersionUpgrade": True,
                "EnableCloudwatchLogsExports": ["error"],
                "Tags": named(config, "database"),
            },
        },
    }


def database_outputs(config: Config) -> dict[str, tuple[str, Any]]:
    """Give what other commands want to know of the database."""
    if not config.infra.database:
        return {}
    return {
        "DatabaseInstance": ("RDS instance", ref(DATABASE)),
        "DatabaseEndpoint": ("host of the database", attribute(DATABASE, "Endpoint.Address")),
        "DatabasePort": ("port of the database", attribute(DATABASE, "Endpoint.Port")),
        "DatabaseSecret": (
            "secret in which RDS keeps the password",
            attribute(DATABASE, "MasterUserSecret.SecretArn"),
        ),
    }


Resource = dict[str, Any]

MYSQL_PORT: Final = 3306
_ZONES: Final = ("A", "B")
_ANYWHERE: Final = "0.0.0.0/0"
_SUBNETS_IN_ALL: Final = 4
_SUBNET_BITS: Final = 32 - 2
# TLS 1.3 and 1.2, forward secrecy only.
_TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def ref(name: str) -> Resource:
    """Give a reference to a parameter or resource."""
    return {"Ref": name}


def attribute(name: str, of: str) -> Resource:
    """Give an attribute of a resource."""
    return {"Fn::GetAtt": [name, of]}


def named(config: Config, what: str, **more: str) -> list[dict[str, str]]:
    """Give the tags by which people, and other commands, find a thing."""
    tags = {"Name": f"{config.stack_name}-{what}", STACK_TAG: config.stack_name, **more}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def has_own_vpc(config: Config) -> bool:
    """Say whether the stack makes a VPC."""
    return isinstance(config.infra.vpc, NewVpcConfig)


def public_subnets(config: Config) -> Resource | list[Resource]:
    """Give the subnets of the load balancer and the tasks."""
    if has_own_vpc(config):
        return [ref(f"PublicSubnet{zone}") for zone in _ZONES]
    return ref("Subnets")


def database_subnets(config: Config) -> Resource | list[Resource]:
    """Give the subnets of the database: private ones where the stack makes them."""
    if has_own_vpc(config):
        return [ref(f"PrivateSubnet{zone}") for zone in _ZONES]
    return ref("Subnets")


def vpc_resources(config: Config) -> dict[str, Resource]:
    """Give a VPC of two zones; empty where one that exists is used.

    Tasks get a public address and go out by the internet gateway: a NAT gateway would cost more
    than the tasks. Nothing leads out of the private subnets.
    """
    if not has_own_vpc(config):
        return {}
    made: dict[str, Resource] = {
        "Vpc": {
            "Type": "AWS::EC2::VPC",
            "Properties": {
                "CidrBlock": ref("VpcCidr"),
                "EnableDnsHostnames": True,
                "EnableDnsSupport": True,
                "Tags": named(config, "vpc"),
            },
        },
        "InternetGateway": {
            "Type": "AWS::EC2::InternetGateway",
            "Properties": {"Tags": named(config, "internet")},
        },
        "InternetAttachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": ref("Vpc"), "InternetGatewayId": ref("InternetGateway")},
        },
        "PublicRoutes": {
            "Type": "AWS::EC2::RouteTable",
            "Properties": {"VpcId": ref("Vpc"), "Tags": named(config, "public")},
        },
        "InternetRoute": {
            "Type": "AWS::EC2::Route",
            "DependsOn": "InternetAttachment",
            "Properties": {
                "RouteTableId": ref("PublicRoutes"),
                "DestinationCidrBlock": _ANYWHERE,
                "GatewayId": ref("InternetGateway"),
            },
        },
    }
    for number, zone in enumerate(_ZONES):
        made[f"PublicSubnet{zone}"] = _subnet(config, "public", number)
        made[f"PublicSubnet{zone}Routes"] = {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {
                "SubnetId": ref(f"PublicSubnet{zone}"),
                "RouteTableId": ref("PublicRoutes"),
            },
        }
        if config.infra.database:
            made[f"PrivateSubnet{zone}"] = _subnet(config, "private", number)
    return made


def _subnet(config: Config, tier: str, zone: int) -> Resource:
    place = zone if tier == "public" else zone + len(_ZONES)
    block = {"Fn::Cidr": [ref("VpcCidr"), _SUBNETS_IN_ALL, str(_bits(config))]}
    name = f"{tier}-{_ZONES[zone].lower()}"
    return {
        "Type": "AWS::EC2::Subnet",
        "Properties": {
            "VpcId": ref("Vpc"),
            "CidrBlock": {"Fn::Select": [place, block]},
            "AvailabilityZone": {"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
            "MapPublicIpOnLaunch": False,
            "Tags": named(config, name, **{TIER_TAG: tier}),
        },
    }


def _bits(config: Config) -> int:
    """Give how many bits of an address tell the hosts of a quarter of the VPC."""
    if not isinstance(config.infra.vpc, NewVpcConfig):
        raise TypeError("only a new VPC is divided")
    return _SUBNET_BITS - int(config.infra.vpc.cidr.partition("/")[2])


# The chain: internet -> load balancer -> tasks -> database


def group_resources(config: Config) -> dict[str, Resource]:
    """Give the three security groups, each let in by the one before and by nothing else.

    Egress is open on all three, as documented.
    """
    network = config.network
    # A database of somebody else's may listen elsewhere, and the sandbox's does.
    port = MYSQL_PORT if config.infra.database else told_database_port(config)
    return {
        "AlbGroup": _group(
            config,
            network.alb_group,
            "load balancer",
            [
                _ingress(port, {"CidrIp": _ANYWHERE}, f"{name} from anywhere")
                for port, name in ((80, "HTTP"), (443, "HTTPS"))
            ],
        ),
        "ServiceGroup": _group(
            config,
            network.service_group,
            "tasks",
            [_ingress(config.task.port, _from("AlbGroup"), "from the load balancer")],
        ),
        "DatabaseGroup": _group(
            config,
            network.database_group,
            "database",
            [_ingress(port, _from("ServiceGroup"), "MySQL from the tasks")],
        ),
    }


def _group(config: Config, name: str, what: str, ingress: list[Resource]) -> Resource:
    return {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "GroupName": name,
            "GroupDescription": f"{what} of {config.stack_name}",
            "VpcId": ref("Vpc"),
            "SecurityGroupIngress": ingress,
            "SecurityGroupEgress": [
                {"IpProtocol": "-1", "CidrIp": _ANYWHERE, "Description": "anywhere"}
            ],
            "Tags": named(config, what.replace(" ", "-")),
        },
    }


def _from(group: str) -> Resource:
    return {"SourceSecurityGroupId": attribute(group, "GroupId")}


def _ingress(port: int, source: Resource, description: str) -> Resource:
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        **source,
        "Description": description,
    }


# The load balancer


def balancer_resources(config: Config) -> dict[str, Resource]:
    """Give the load balancer with its listeners and the target group behind them."""
    forward = {"Type": "forward", "TargetGroupArn": ref("TargetGroup")}
    secure = config.infra.certificate is not None
    made = {
        "LoadBalancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {
                "Name": balancer_name(config.app, config.environment),
                "Type": "application",
                "Scheme": "internet-facing",
                "Subnets": public_subnets(config),
                "SecurityGroups": [attribute("AlbGroup", "GroupId")],
                "LoadBalancerAttributes": _pairs(
                    {"routing.http.drop_invalid_header_fields.enabled": "true"}
                ),
                "Tags": named(config, "alb"),
            },
        },
        "TargetGroup": _target_group(config),
        "HttpListener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": ref("LoadBalancer"),
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [_TO_HTTPS if secure else forward],
            },
        },
    }
    if has_own_vpc(config):
        made["LoadBalancer"]["DependsOn"] = "InternetRoute"
    if secure:
        made["HttpsListener"] = {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": ref("LoadBalancer"),
                "Port": 443,
                "Protocol": "HTTPS",
                "SslPolicy": _TLS_POLICY,
                "Certificates": [{"CertificateArn": ref("Certificate")}],
                "DefaultActions": [forward],
            },
        }
    return made


_TO_HTTPS: Final = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
}


def _target_group(config: Config) -> Resource:
    return {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {
            "Name": config.service.target_group,
            "TargetType": config.launch.target_type,
            "Protocol": "HTTP",
            "Port": config.task.port,
            "VpcId": ref("Vpc"),
            "HealthCheckPath": config.task.health_path,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckIntervalSeconds": 10,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 3,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": _pairs(
                {"deregistration_delay.timeout_seconds": str(config.infra.deregistration_seconds)}
            ),
            "Tags": named(config, "tasks"),
        },
    }


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]
