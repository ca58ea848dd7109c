"""What CloudFormation's types and words mean to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from schoolctl.model.stacks import StackEvent

_TYPES: Final = {
    "AWS::EC2::VPC": "VPC",
    "AWS::EC2::InternetGateway": "internet gateway",
    "AWS::EC2::VPCGatewayAttachment": "attachment of the internet gateway",
    "AWS::EC2::RouteTable": "route table",
    "AWS::EC2::Route": "route",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::SubnetRouteTableAssociation": "routes of subnet",
    "AWS::EC2::SecurityGroup": "security group",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "load balancer",
    "AWS::ElasticLoadBalancingV2::Listener": "listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "target group",
    "AWS::ECS::Cluster": "cluster",
    "AWS::Logs::LogGroup": "log group",
    "AWS::IAM::Role": "role",
    "AWS::RDS::DBSubnetGroup": "subnets of the database",
    "AWS::RDS::DBParameterGroup": "settings of the database",
    "AWS::RDS::DBInstance": "database",
}
_DONE: Final = {
    "CREATE_COMPLETE": "created",
    "UPDATE_COMPLETE": "changed",
    "DELETE_COMPLETE": "deleted",
    "DELETE_SKIPPED": "kept",
    "IMPORT_COMPLETE": "taken over",
    "CREATE_FAILED": "not created",
    "UPDATE_FAILED": "not changed",
    "DELETE_FAILED": "not deleted",
    "IMPORT_FAILED": "not taken over",
}
_GOING: Final = {"CREATE": "creating", "UPDATE": "changing", "DELETE": "deleting"}


def resource(type_name: str, logical_id: str) -> str:
    """Name a resource: what it is, and what the template calls it."""
    return f"{_TYPES.get(type_name, type_name)} {logical_id}"


def outcome(event: StackEvent) -> str:
    """Say what became of an event's resource; empty while it is under way."""
    told = _DONE.get(event.status)
    if told is None:
        return "" if event.status.endswith("_IN_PROGRESS") else event.status.lower()
    return f"{told}: {event.reason}" if event.failed and event.reason else told


def going_on(event: StackEvent) -> str:
    """Say what is being done with an event's resource."""
    return _GOING.get(event.status.partition("_")[0], "at")
