"""Elastic Load Balancing: target groups, and the load balancers that forward to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.model.surroundings import LoadBalancer, TargetGroup, TargetHealth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_elbv2.type_defs import ActionOutputTypeDef

    from schoolctl.aws.session.clients import Clients


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
            port=found.get("Port"),
            health_port=found.get("HealthCheckPort", "traffic-port"),
            protocol=found.get("Protocol", ""),
        )
    return None


def forwarding_load_balancers(clients: Clients, group: TargetGroup) -> tuple[str, ...]:
    """Give the load balancers with a listener or a rule that forwards to a target group, by ARN.

    Source: elasticloadbalancing DescribeListeners, DescribeRules, all pages.
    """
    calls = [
        (arn, clients.start(_forwards, clients, arn, group.arn)) for arn in group.load_balancer_arns
    ]
    return tuple(arn for arn, call in calls if call.result())


def _forwards(clients: Clients, load_balancer: str, group: str) -> bool:
    listeners = clients.elbv2.get_paginator("describe_listeners")
    rules = clients.elbv2.get_paginator("describe_rules")
    with translated("look at the listeners of the load balancer"):
        found = [
            each
            for page in listeners.paginate(LoadBalancerArn=load_balancer)
            for each in page["Listeners"]
        ]
        if any(_leads_to(each.get("DefaultActions", ()), group) for each in found):
            return True
        return any(
            _leads_to(rule.get("Actions", ()), group)
            for each in found
            for page in rules.paginate(ListenerArn=each.get("ListenerArn", ""))
            for rule in page["Rules"]
        )


def _leads_to(actions: Sequence[ActionOutputTypeDef], group: str) -> bool:
    for each in actions:
        weighted = each.get("ForwardConfig", {}).get("TargetGroups", ())
        if group in {each.get("TargetGroupArn"), *(one.get("TargetGroupArn") for one in weighted)}:
            return True
    return False


def only_load_balancer(clients: Clients, vpc_id: str) -> str | None:
    """Give the ARN of the only application load balancer of a VPC; None where it is not one.

    Source: elasticloadbalancing DescribeLoadBalancers, all pages.
    """
    pages = clients.elbv2.get_paginator("describe_load_balancers")
    with translated("look for load balancers"):
        found = [
            each.get("LoadBalancerArn", "")
            for page in pages.paginate()
            for each in page["LoadBalancers"]
            if each.get("VpcId") == vpc_id and each.get("Type", "application") == "application"
        ]
    return found[0] if len(found) == 1 else None


def find_load_balancers(clients: Clients, arns: Sequence[str]) -> tuple[LoadBalancer, ...]:
    """Give load balancers; those that do not exist any more are absent.

    Source: elasticloadbalancing DescribeLoadBalancers.
    """
    if not arns:
        return ()
    with translated("look at the load balancer"):
        try:
            answer = clients.elbv2.describe_load_balancers(LoadBalancerArns=list(arns))
        except ClientError as error:
            if is_code(error, "LoadBalancerNotFound", "LoadBalancerNotFoundException"):
                return ()
            raise
    return tuple(
        LoadBalancer(
            arn=each.get("LoadBalancerArn", ""),
            name=each.get("LoadBalancerName", ""),
            type=each.get("Type", ""),
            scheme=each.get("Scheme", ""),
            vpc_id=each.get("VpcId", ""),
            address_type=each.get("IpAddressType", ""),
            security_groups=tuple(each.get("SecurityGroups", ())),
            subnets=tuple(zone.get("SubnetId", "") for zone in each.get("AvailabilityZones", ())),
            zones=tuple(zone.get("ZoneName", "") for zone in each.get("AvailabilityZones", ())),
        )
        for each in answer["LoadBalancers"]
    )


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
