"""Elastic Load Balancing: target groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.errors import is_code, translated
from schoolctl.model import TargetGroup

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients


def find_target_group(clients: Clients, name_or_arn: str) -> TargetGroup | None:
    """Give a target group; None where there is none.

    Source: elasticloadbalancing DescribeTargetGroups.
    """
    with translated(f"look at target group {name_or_arn}"):
        try:
            if name_or_arn.startswith("arn:"):
                answer = clients.elbv2.describe_target_groups(TargetGroupArns=[name_or_arn])
            else:
                answer = clients.elbv2.describe_target_groups(Names=[name_or_arn])
        except ClientError as error:
            if is_code(error, "TargetGroupNotFound", "TargetGroupNotFoundException"):
                return None
            raise
    for found in answer["TargetGroups"]:
        return TargetGroup(
            arn=found.get("TargetGroupArn", ""),
            name=found.get("TargetGroupName", ""),
            target_type=found.get("TargetType", "instance"),
            vpc_id=found.get("VpcId", ""),
            load_balancer_arns=tuple(found.get("LoadBalancerArns", ())),
            health_path=found.get("HealthCheckPath", ""),
        )
    return None
