"""A moto account with everything that the tests' configuration names, ready for a deploy."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws

NAME = "schoolapp-backend"
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


class Account:
    """The documented infrastructure; images are manifests alone, without layers.

    Args:
        aws: an empty account.
        balancer: whether there is a load balancer with the target group.
    """

    def __init__(self, aws: Aws, *, balancer: bool = False) -> None:
        self.aws = aws
        self.ecs, self.ecr = aws.client("ecs"), aws.client("ecr")
        self.ecr.create_repository(repositoryName=NAME)
        self.ecs.create_cluster(clusterName="schoolapp")
        for role in ("schoolapp-execution", "schoolapp-task"):
            aws.client("iam").create_role(
                RoleName=role, AssumeRolePolicyDocument=json.dumps(_TRUST)
            )
        for key in ("db_host", "db_name", "db_user"):
            aws.client("ssm").put_parameter(
                Name=f"/schoolapp/dev/{key}", Value="canary-parameter", Type="SecureString"
            )
        self.secret_arn = aws.client("secretsmanager").create_secret(
            Name="schoolapp/dev/db_password", SecretString="canary-secret"
        )["ARN"]
        ec2 = aws.client("ec2")
        subnets = ec2.describe_subnets()["Subnets"]
        self.group_id = ec2.create_security_group(
            GroupName="schoolApp-ecs-sg", Description="tasks", VpcId=subnets[0]["VpcId"]
        )["GroupId"]
        self.target_group_arn = self._balance(subnets) if balancer else ""

    def _balance(self, subnets: list[dict[str, Any]]) -> str:
        elb = self.aws.client("elbv2")
        balancer = elb.create_load_balancer(
            Name="alb", Scheme="internet-facing", Subnets=[each["SubnetId"] for each in subnets]
        )["LoadBalancers"][0]
        arn = elb.create_target_group(
            Name="schoolapp-tg",
            Protocol="HTTP",
            Port=3000,
            TargetType="ip",
            VpcId=subnets[0]["VpcId"],
            HealthCheckPath="/healthz",
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
        return str(arn)

    def push(self, tag: str) -> str:
        """Note an image in ECR, as a push of `tag` would; gives its digest."""
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "layers": [],
                "annotations": {"content": tag},
            }
        )
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        self.ecr.put_image(
            repositoryName=NAME,
            imageManifest=manifest,
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageDigest=digest,
            imageTag=tag,
        )
        return digest

    def register(
        self, tag: str, completed_at: str | None = None, completed_again_at: str | None = None
    ) -> None:
        """Push an image and register a revision of it, as `deploy` would leave them."""
        image = f"{self.aws.account}.dkr.ecr.us-east-1.amazonaws.com/{NAME}@{self.push(tag)}"
        tags = {"schoolctl:tag": tag}
        if completed_at is not None:
            tags["schoolctl:completed-at"] = completed_at
        if completed_again_at is not None:
            tags["schoolctl:completed-again-at"] = completed_again_at
        self.ecs.register_task_definition(
            family=NAME,
            containerDefinitions=[{"name": "web", "image": image, "memory": 128}],
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )

    def revisions(self) -> list[str]:
        """Give every ACTIVE revision, oldest first, as `family:number`."""
        arns = self.ecs.list_task_definitions(familyPrefix=NAME)["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    def definition(self, revision: str) -> Any:
        """Give a revision's task definition."""
        return self.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]

    def tags(self, revision: str) -> dict[str, str]:
        """Give the tags of a revision."""
        told = self.ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])
        return {each["key"]: each["value"] for each in told["tags"]}

    def service(self) -> Any:
        """Give the service; None where there is none."""
        found = self.ecs.describe_services(cluster="schoolapp", services=[NAME])["services"]
        return found[0] if found else None

    def runs(self) -> str:
        """Give the revision that the service is at."""
        return str(self.service()["taskDefinition"].rpartition("/")[2])


def serving(aws: Aws, directory: Path) -> Account:
    """Make an account whose service runs 1.0, which completed, with an image 1.1 to deploy."""
    simplify(directory)
    made = Account(aws)
    made.register("1.0", "2026-11-02T08:00:00Z")
    aws.client("logs").create_log_group(logGroupName=f"/ecs/{NAME}")
    made.ecs.create_service(
        cluster="schoolapp", serviceName=NAME, taskDefinition=f"{NAME}:1", desiredCount=2
    )
    made.push("1.1")
    return made


def simplify(directory: Path) -> None:
    """Leave out of schoolctl.yaml the load balancer, and what moto does not tell of a service.

    A DescribeServices answer of moto's lacks the deployment configuration, so that every deploy
    would send it again.
    """
    edit(
        directory,
        "target_group: schoolapp-tg",
        "target_group: null\n  overrides: {deploymentConfiguration: null}",
    )


def protect(directory: Path) -> None:
    """Protect all environments; a protected one takes its endpoint from the file alone."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    edit(directory, "task:\n", f'protected: true\nendpoint_url: "{endpoint}"\ntask:\n')


def edit(directory: Path, before: str, after: str) -> None:
    """Put `after` in the place of `before` in schoolctl.yaml."""
    file = directory / "schoolctl.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def make_database(aws: Aws, name: str = "school", **more: Any) -> Any:
    """Make an RDS instance whose password RDS manages; gives what RDS tells of it."""
    settings = {
        "Engine": "mysql",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "DBName": "school",
        "MasterUsername": "admin",
        "ManageMasterUserPassword": True,
        **more,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    made = aws.client("rds").create_db_instance(DBInstanceIdentifier=name, **given)
    return made["DBInstance"]
