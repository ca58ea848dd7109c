"""An account and a project of which `doctor` finds all to be well, on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.worlds.account import NAME, Account, edit, make_database
from tests.worlds.laid import ANYWHERE, name_groups, permission

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Exchange, Faults


class Healthy(Account):
    """The documented infrastructure with a service that runs in it; `ids` are those of groups."""

    def __init__(self, aws: Aws, project: Project) -> None:
        super().__init__(aws, balancer=True)
        self.directory = project.directory
        name_groups(project.directory)
        (self.directory / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
        (self.directory / ".dockerignore").write_text("*\n!file\n")
        (self.directory / "file").write_text("hello")
        self.ec2, self.elb, self.rds = aws.client("ec2"), aws.client("elbv2"), aws.client("rds")
        self.ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
        self.ecr.put_image_scanning_configuration(
            repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}
        )
        [self.balancer] = self.elb.describe_load_balancers()["LoadBalancers"]
        self.vpc = str(self.balancer["VpcId"])
        self.subnets = [each["SubnetId"] for each in self.balancer["AvailabilityZones"]]
        self._open()
        self._chain()
        self._serve()

    def _open(self) -> None:
        """Let the VPC's subnets out to the internet."""
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        here = [{"Name": "vpc-id", "Values": [self.vpc]}]
        [table] = self.ec2.describe_route_tables(Filters=here)["RouteTables"]
        self.table = str(table["RouteTableId"])
        self.ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock=ANYWHERE, GatewayId=self.gateway
        )

    def _chain(self) -> None:
        self.ids = {"ecs": self.group_id} | {
            each: self.ec2.create_security_group(
                GroupName=f"schoolApp-{each}-sg", Description=each, VpcId=self.vpc
            )["GroupId"]
            for each in ("alb", "rds")
        }
        for port in (80, 443):
            self.allow("alb", port, ANYWHERE)
        self.allow("ecs", 3000, self.ids["alb"])
        self.allow("rds", 3306, self.ids["ecs"])
        self.elb.set_security_groups(
            LoadBalancerArn=self.balancer["LoadBalancerArn"], SecurityGroups=[self.ids["alb"]]
        )
        make_database(self.aws, VpcSecurityGroupIds=[self.ids["rds"]])

    def _serve(self) -> None:
        self.register("1.0", "2026-11-02T08:00:00Z")
        self.aws.client("logs").create_log_group(logGroupName=f"/ecs/{NAME}")
        self.ecs.create_service(
            cluster="schoolapp",
            serviceName=NAME,
            taskDefinition=f"{NAME}:1",
            desiredCount=2,
            networkConfiguration=self.place(),
        )

    def place(self, *, public: bool = True) -> dict[str, Any]:
        """Give where the service's tasks are."""
        return {
            "awsvpcConfiguration": {
                "subnets": self.subnets,
                "securityGroups": [self.group_id],
                "assignPublicIp": "ENABLED" if public else "DISABLED",
            }
        }

    # What tests change

    def allow(self, group: str, port: int, source: str) -> None:
        """Let a range or a group in."""
        self.ec2.authorize_security_group_ingress(
            GroupId=self.ids[group], IpPermissions=[permission(port, source)]
        )

    def forbid(self, group: str, port: int, source: str) -> None:
        """Take back what was allowed."""
        self.ec2.revoke_security_group_ingress(
            GroupId=self.ids[group], IpPermissions=[permission(port, source)]
        )

    def edit(self, before: str, after: str) -> None:
        """Change schoolctl.yaml."""
        edit(self.directory, before, after)


def let_all_be_allowed(faults: Faults) -> None:
    """Answer for IAM that everything is allowed, and for ECS that all tasks run: moto does not."""
    faults.always("SimulatePrincipalPolicy", _allowed)
    faults.rewrite(
        "DescribeServices",
        lambda content: content.replace(b'"runningCount": 0', b'"runningCount": 2'),
    )


def _allowed(exchange: Exchange) -> None:
    exchange.reply(
        200,
        b"<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false"
        b"</IsTruncated><EvaluationResults/></SimulatePrincipalPolicyResult>"
        b"</SimulatePrincipalPolicyResponse>",
    )
