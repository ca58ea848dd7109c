"""Application Auto Scaling: the scalable target of a service, and its policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import changing, is_code, translated
from schoolctl.base.errors import UnknownOperationError
from schoolctl.model.services import AutoScaling, ScalingPolicy, ScalingRange

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients

_PENDING: Final = "ConcurrentUpdateException"
"""What AWS answers while an earlier change of the same target is not through."""
_UNKNOWN: Final = "ObjectNotFoundException"
_TRACKING: Final = "TargetTrackingScaling"
_OURS: Final = ("TargetValue", "PredefinedMetricSpecification", "CustomizedMetricSpecification")


def find_scaling_range(clients: Clients, cluster: str, service: str) -> ScalingRange | None:
    """Give the counts that auto scaling keeps a service between; None where it does not.

    Source: application-autoscaling DescribeScalableTargets.
    """
    try:
        with translated(f"find out whether auto scaling manages {cluster}/{service}"):
            answer = clients.autoscaling.describe_scalable_targets(
                ServiceNamespace="ecs",
                ResourceIds=[_resource(cluster, service)],
                ScalableDimension="ecs:service:DesiredCount",
            )
    except UnknownOperationError:
        return None  # where there is no auto scaling, it manages nothing
    for each in answer["ScalableTargets"]:
        return ScalingRange(int(each["MinCapacity"]), int(each["MaxCapacity"]))
    return None


def find_auto_scaling(
    clients: Clients, cluster: str, service: str, *, with_scheduled: bool = False
) -> AutoScaling:
    """Give the limits and the policies of a service, read side by side.

    Args:
        clients: the AWS clients.
        cluster: where the service is.
        service: its name.
        with_scheduled: whether to read its scheduled actions, too.
    """
    limits = clients.start(find_scaling_range, clients, cluster, service)
    scheduled = (
        clients.start(_find_scheduled, clients, cluster, service) if with_scheduled else None
    )
    policies = _find_policies(clients, cluster, service)
    return AutoScaling(limits.result(), policies, scheduled.result() if scheduled else ())


def _find_policies(clients: Clients, cluster: str, service: str) -> tuple[ScalingPolicy, ...]:
    """Give the policies of a service, by name.

    Source: application-autoscaling DescribeScalingPolicies, all pages.
    """
    pages = clients.autoscaling.get_paginator("describe_scaling_policies")
    try:
        with translated(f"read the scaling policies of {cluster}/{service}"):
            found = [
                _policy(each)
                for page in pages.paginate(**_target(cluster, service))
                for each in page["ScalingPolicies"]
            ]
    except UnknownOperationError:
        return ()
    return tuple(sorted(found, key=lambda each: each.name))


def _find_scheduled(clients: Clients, cluster: str, service: str) -> tuple[str, ...]:
    """Give the names of the scheduled actions of a service, sorted.

    Source: application-autoscaling DescribeScheduledActions, all pages.
    """
    pages = clients.autoscaling.get_paginator("describe_scheduled_actions")
    try:
        with translated(f"read the scheduled actions of {cluster}/{service}"):
            found = [
                str(each["ScheduledActionName"])
                for page in pages.paginate(**_target(cluster, service))
                for each in page["ScheduledActions"]
            ]
    except UnknownOperationError:
        return ()
    return tuple(sorted(found))


def _policy(answer: dict[str, Any]) -> ScalingPolicy:
    name = str(answer["PolicyName"])
    tracking = answer.get("TargetTrackingScalingPolicyConfiguration")
    if answer.get("PolicyType") != _TRACKING or not tracking:
        return ScalingPolicy(name)
    metric = tracking.get("PredefinedMetricSpecification", {})
    return ScalingPolicy(
        name,
        str(metric.get("PredefinedMetricType", "")),
        float(tracking["TargetValue"]),
        str(metric.get("ResourceLabel", "")),
        {key: value for key, value in tracking.items() if key not in _OURS},
    )


def register_scalable_target(
    clients: Clients, cluster: str, service: str, limits: ScalingRange
) -> None:
    """Set the limits of a service's count; AWS takes it over where it did not manage it.

    Raises:
        NotVisibleYetError: an earlier change is not through.

    Source: application-autoscaling RegisterScalableTarget.
    """
    with changing(f"set the limits of auto scaling for {cluster}/{service}", _PENDING):
        clients.autoscaling.register_scalable_target(
            **_target(cluster, service),
            MinCapacity=limits.minimum,
            MaxCapacity=limits.maximum,
        )


def put_scaling_policy(clients: Clients, cluster: str, service: str, policy: ScalingPolicy) -> None:
    """Create a target-tracking policy, or replace the one of its name.

    Raises:
        NotVisibleYetError: an earlier change is not through, or the target not visible yet.

    Source: application-autoscaling PutScalingPolicy.
    """
    metric = {"PredefinedMetricType": policy.metric}
    if policy.label:
        metric["ResourceLabel"] = policy.label
    doing = f"put scaling policy {policy.name} of {cluster}/{service}"
    with changing(doing, _PENDING, _UNKNOWN):
        clients.autoscaling.put_scaling_policy(
            **_target(cluster, service),
            PolicyName=policy.name,
            PolicyType=_TRACKING,
            TargetTrackingScalingPolicyConfiguration={
                **policy.settings,
                "TargetValue": policy.target,
                "PredefinedMetricSpecification": metric,
            },
        )


def deregister_scalable_target(clients: Clients, cluster: str, service: str) -> bool:
    """End auto scaling of a service; False where it did not manage it.

    Raises:
        NotVisibleYetError: an earlier change is not through.

    Source: application-autoscaling DeregisterScalableTarget, which deletes its policies and
        scheduled actions, too.
    """
    with changing(f"end auto scaling of {cluster}/{service}", _PENDING):
        try:
            clients.autoscaling.deregister_scalable_target(**_target(cluster, service))
        except ClientError as error:
            if is_code(error, _UNKNOWN):
                return False
            raise
    return True


def _target(cluster: str, service: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": _resource(cluster, service),
        "ScalableDimension": "ecs:service:DesiredCount",
    }


def _resource(cluster: str, service: str) -> str:
    return f"service/{cluster}/{service}"
