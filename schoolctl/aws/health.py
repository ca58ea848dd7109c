"""Elastic Load Balancing: how healthy the service's targets are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.session.errors import translated
from schoolctl.model.surroundings import TargetHealth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.aws.session.clients import Clients


def target_health(clients: Clients, target_group_arns: Sequence[str]) -> tuple[TargetHealth, ...]:
    """Give the health of every target of the groups, in the order of the groups.

    Source: elasticloadbalancing DescribeTargetHealth.
    """
    answers = [clients.start(_of_group, clients, arn) for arn in target_group_arns]
    return tuple(target for answer in answers for target in answer.result())


def _of_group(clients: Clients, arn: str) -> list[TargetHealth]:
    with translated(f"read the target health of {_name(arn)}"):
        answer = clients.elbv2.describe_target_health(TargetGroupArn=arn)
    found = []
    for each in answer["TargetHealthDescriptions"]:
        target, health = each.get("Target", {}), each.get("TargetHealth", {})
        found.append(
            TargetHealth(
                target_group=_name(arn),
                address=target.get("Id", ""),
                port=target.get("Port", 0),
                state=health.get("State", "unknown"),
                reason=health.get("Reason", ""),
                description=health.get("Description", ""),
            )
        )
    return found


def _name(arn: str) -> str:
    """Give the name in a target group's ARN, `...:targetgroup/NAME/ID`."""
    parts = arn.split("/")
    return parts[1] if len(parts) > 1 else arn
