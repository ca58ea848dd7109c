"""What the account is seeded with, by name: all of it from the resolved configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.config.stack_names import balancer_name

if TYPE_CHECKING:
    from schoolctl.config.models import Config

_BALANCER_LIMIT = 32


@dataclass(frozen=True)
class AccountNames:
    """The things that a deployment finds in its account.

    Attributes:
        task_role: None for a service whose code calls no AWS API.
        target_group: None for a service without a load balancer.
    """

    cluster: str
    execution_role: str
    task_role: str | None
    alb_group: str
    service_group: str
    database_group: str
    load_balancer: str
    target_group: str | None
    port: int
    health_path: str
    parameter_path: str
    secret_prefix: str


def account_names(config: Config) -> AccountNames:
    """Take the names from `config`; of an ARN, its last part."""
    group = config.service.target_group
    balancer = f"{config.app}-alb".replace("_", "-")[:_BALANCER_LIMIT].strip("-")
    if config.infra.stack:
        balancer = balancer_name(config.app, config.environment)
    return AccountNames(
        cluster=_name(config.service.cluster),
        execution_role=_name(config.task.execution_role),
        task_role=None if config.task.task_role is None else _name(config.task.task_role),
        alb_group=config.network.alb_group,
        service_group=config.network.service_group,
        database_group=config.network.database_group,
        load_balancer=balancer,
        target_group=None if group is None else _target_group_name(group),
        port=config.task.port,
        health_path=config.task.health_path,
        parameter_path=f"/{config.app}/{config.environment}/",
        secret_prefix=f"{config.app}/{config.environment}/",
    )


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _target_group_name(name_or_arn: str) -> str:
    # arn:aws:elasticloadbalancing:R:A:targetgroup/NAME/0123456789abcdef
    parts = name_or_arn.split("/")
    return parts[1] if name_or_arn.startswith("arn:") else name_or_arn
