"""The documented network on moto: every part there, every rule, and what is really used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.worlds.account import NAME, edit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws

ANYWHERE = "0.0.0.0/0"
_GROUPS = ("schoolApp-alb-sg", "schoolApp-ecs-sg", "schoolApp-rds-sg")
_RULE = re.compile(r"sgr-[0-9a-f]+")
_ID = re.compile(r"\b(?:sg|vpc|subnet|rtb|igw|vpce|pl|eni|nat)-[0-9a-f]{8,}\b")
_ARN = re.compile(r"(arn:aws:elasticloadbalancing:\S+?)/[0-9a-f]{16}\b")


def name_groups(directory: Path) -> None:
    """Name the documented groups in schoolctl.yaml."""
    alb, service, database = _GROUPS
    edit(
        directory,
        "service:\n",
        f"network: {{alb_group: {alb}, service_group: {service}, database_group: {database}}}\n"
        "service:\n",
    )


class Network:
    """The documented network; methods make it differ. `ids` has what tests call things."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.ec2, self.elb = aws.client("ec2"), aws.client("elbv2")
        self.rds, self.ecs = aws.client("rds"), aws.client("ecs")
        # Fewer lines to read than with the six zones of us-east-1.
        subnets = sorted(self.ec2.describe_subnets()["Subnets"], key=_zone)[:2]
        self.subnets = [each["SubnetId"] for each in subnets]
        self.vpc = subnets[0]["VpcId"]
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.table = tables["RouteTables"][0]["RouteTableId"]
        self.ids = {
            self.vpc: "VPC",
            self.table: "TABLE",
            **{each: f"SUBNET-{'AB'[number]}" for number, each in enumerate(self.subnets)},
        }
        self.gateway = self._open_vpc()
        self.alb, self.service, self.database = (self.group(name) for name in _GROUPS)
        for port in (80, 443):
            self.allow(self.alb, port, ANYWHERE)
        self.allow(self.service, 3000, self.alb)
        self.allow(self.database, 3306, self.service)
        self.balancer = self._balance()
        self.target_group = self._target()
        self._make_database()
        self._serve()

    # What is there

    def _open_vpc(self) -> str:
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway
        )
        self.ids[gateway] = "IGW"
        return str(gateway)

    def _balance(self) -> str:
        made = self.elb.create_load_balancer(
            Name="school",
            Scheme="internet-facing",
            Subnets=self.subnets,
            SecurityGroups=[self.alb],
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def _target(self, **other: Any) -> str:
        settings = {
            "Name": "schoolapp-tg",
            "Protocol": "HTTP",
            "Port": 3000,
            "VpcId": self.vpc,
            "TargetType": "ip",
            "HealthCheckPath": "/healthz",
            **other,
        }
        made = self.elb.create_target_group(**settings)["TargetGroups"][0]["TargetGroupArn"]
        self.elb.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": made}],
        )
        return str(made)

    def _make_database(self) -> None:
        made = self.rds.create_db_instance(
            DBInstanceIdentifier="school",
            Engine="mysql",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="admin",
            ManageMasterUserPassword=True,
            VpcSecurityGroupIds=[self.database],
        )["DBInstance"]
        self.aws.client("ssm").put_parameter(
            Name="/schoolapp/dev/db_host",
            Value=made["Endpoint"]["Address"],
            Type="SecureString",
        )

    def _serve(self) -> None:
        self.ecs.create_cluster(clusterName="schoolapp")
        self.ecs.register_task_definition(
            family=NAME, containerDefinitions=[{"name": "web", "image": "web", "memory": 512}]
        )
        self.ecs.create_service(
            cluster="schoolapp",
            serviceName=NAME,
            taskDefinition=NAME,
            desiredCount=1,
            networkConfiguration=self.place([self.service]),
        )

    def place(self, groups: list[str], *, public: bool = True) -> dict[str, Any]:
        """Give the network configuration of a service."""
        return {
            "awsvpcConfiguration": {
                "subnets": self.subnets,
                "securityGroups": groups,
                "assignPublicIp": "ENABLED" if public else "DISABLED",
            }
        }

    # What makes it differ

    def group(self, name: str, vpc: str | None = None) -> str:
        """Make a group, which the tests call by its name in capitals."""
        made = self.ec2.create_security_group(
            GroupName=name, Description="made by a test", VpcId=vpc or self.vpc
        )["GroupId"]
        known = dict(zip(_GROUPS, ("ALB", "ECS", "RDS"), strict=True))
        self.ids[made] = f"SG-{known.get(name, name.upper())}"
        return str(made)

    def allow(
        self, group: str, port: int | tuple[int, int] | None, source: str, protocol: str = "tcp"
    ) -> None:
        """Let a group, a range or a prefix list in; without a port, whatever the protocol has."""
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[permission(port, source, protocol)]
        )

    def forbid(
        self, group: str, port: int | tuple[int, int] | None, source: str, protocol: str = "tcp"
    ) -> None:
        """Take back what `allow` allowed."""
        self.ec2.revoke_security_group_ingress(
            GroupId=group, IpPermissions=[permission(port, source, protocol)]
        )

    def close_egress(self, group: str) -> None:
        """Let nothing out."""
        self.ec2.revoke_security_group_egress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}],
        )

    def retarget(self, **settings: Any) -> None:
        """Put another target group in the place of the documented one."""
        listeners = self.elb.describe_listeners(LoadBalancerArn=self.balancer)["Listeners"]
        for each in listeners:
            self.elb.delete_listener(ListenerArn=each["ListenerArn"])
        self.elb.delete_target_group(TargetGroupArn=self.target_group)
        self.target_group = self._target(**settings)

    def serve_with(self, groups: list[str], *, public: bool = True) -> None:
        """Give the service other groups."""
        self.ecs.update_service(
            cluster="schoolapp",
            service=NAME,
            networkConfiguration=self.place(groups, public=public),
        )

    # What is looked at

    def rules(self) -> list[tuple[str, ...]]:
        """Give every ingress rule of the VPC but those of the default group, sorted."""
        found = self.ec2.describe_security_group_rules()["SecurityGroupRules"]
        return sorted(
            (
                self.ids.get(each["GroupId"], each["GroupId"]),
                each["IpProtocol"],
                str(each.get("FromPort")),
                str(each.get("ToPort")),
                _source(each, self.ids),
            )
            for each in found
            if not each["IsEgress"]
        )

    def readable(self, text: str) -> str:
        """Give a text with names for ids, and numbers for those of rules, in their order."""
        text = _ARN.sub(r"\1/ID", text)
        for each, name in self.ids.items():
            text = text.replace(each, name)
        rules = list(dict.fromkeys(_RULE.findall(text)))
        for number, each in enumerate(rules, 1):
            text = text.replace(each, f"RULE-{number}")
        return _ID.sub("ID", text)


def permission(
    port: int | tuple[int, int] | None, source: str, protocol: str = "tcp"
) -> dict[str, Any]:
    """Give a rule as AuthorizeSecurityGroupIngress takes it."""
    made: dict[str, Any] = {"IpProtocol": protocol}
    if port is not None:
        made["FromPort"], made["ToPort"] = port if isinstance(port, tuple) else (port, port)
    if source.startswith("sg-"):
        made["UserIdGroupPairs"] = [{"GroupId": source}]
    elif source.startswith("pl-"):
        made["PrefixListIds"] = [{"PrefixListId": source}]
    elif ":" in source:
        made["Ipv6Ranges"] = [{"CidrIpv6": source}]
    else:
        made["IpRanges"] = [{"CidrIp": source}]
    return made


def _zone(subnet: dict[str, Any]) -> str:
    return str(subnet["AvailabilityZone"])


def _source(rule: dict[str, Any], ids: dict[str, str]) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    if group:
        return ids.get(group, str(group))
    return str(rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId"))
