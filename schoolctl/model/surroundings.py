"""What stands around a service: its targets, its roles and its network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TargetHealth:
    """One target of a load balancer; `state` as ELB spells it: healthy, initial, unhealthy ..."""

    target_group: str
    address: str
    port: int
    state: str
    reason: str
    description: str


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `target_type` is `ip` for tasks of awsvpc, which Fargate runs."""

    arn: str
    name: str
    target_type: str
    vpc_id: str
    load_balancer_arns: tuple[str, ...]
    health_path: str = ""
    port: int | None = None
    health_port: str = "traffic-port"
    """Where the load balancer asks; `traffic-port` is the one that a target is registered with."""
    protocol: str = ""


@dataclass(frozen=True)
class Role:
    """An IAM role; `trusts_tasks` says whether ECS's tasks may take it."""

    arn: str
    trusts_tasks: bool = True


@dataclass(frozen=True)
class Subnet:
    """A subnet of a VPC."""

    id: str
    vpc_id: str


@dataclass(frozen=True)
class SecurityGroup:
    """A security group; its name is unique in its VPC only."""

    id: str
    name: str
    vpc_id: str
