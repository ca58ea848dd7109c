"""Who else has a security group, as far as network interfaces and databases tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schoolctl.base.text import count
from schoolctl.network.state import Role

if TYPE_CHECKING:
    from schoolctl.model.network import NetworkInterface
    from schoolctl.network.state import NetworkState

_FORMS = (
    (re.compile(r"ELB (?:app|net|gwy)/([^/]+)/.*"), r"load balancer \1"),
    (re.compile(r"ELB (\S+)"), r"load balancer \1"),
    (re.compile(r"AWS Lambda VPC ENI-(.+)-[0-9a-f]{8}-[0-9a-f-]+"), r"Lambda function \1"),
    (re.compile(r"VPC Endpoint Interface (vpce-\S+)"), r"endpoint \1"),
)
"""How AWS describes the interfaces that it makes, and what they are of."""
_OF_TASKS = re.compile(r"arn:[^:]+:ecs:")
_OF_RDS = "RDSNetworkInterface"
_SHOWN = 5


def others(group_id: str, role: Role, state: NetworkState) -> tuple[str, ...]:
    """Name what has a group besides the part itself; empty where nothing else is known to.

    Tasks of another service cannot be told from the service's own.
    """
    found = {
        f"RDS {each}"
        for each in state.databases
        if group_id in each.security_groups and not _is_ours(each.name, each.cluster, role, state)
    }
    for each in state.interfaces or ():
        if group_id in each.security_groups and not _is_of(each, role, state):
            found.add(_user(each))
    known = sorted(found)
    more = [f"and {count(len(known) - _SHOWN, 'other')}"] if len(known) > _SHOWN else []
    return (*known[:_SHOWN], *more)


def _is_ours(name: str, cluster: str, role: Role, state: NetworkState) -> bool:
    """Say whether a database is the service's own, or a member of its cluster."""
    ours = state.database
    if role is not Role.DATABASE or ours is None:
        return False
    return name == ours.name or (bool(cluster) and cluster in {ours.name, ours.cluster})


def _is_of(interface: NetworkInterface, role: Role, state: NetworkState) -> bool:
    """Say whether an interface is of the part itself, or told of in another way."""
    if interface.description == _OF_RDS:
        return True  # RDS itself tells of which database it is
    if role is Role.SERVICE and _OF_TASKS.match(interface.description):
        return True
    return role is Role.ALB and any(
        _user(interface) == f"load balancer {each.name}" for each in state.load_balancers
    )


def _user(interface: NetworkInterface) -> str:
    if interface.instance:
        return f"EC2 instance {interface.instance}"
    for form, name in _FORMS:
        if form.fullmatch(interface.description):
            return form.sub(name, interface.description)
    if _OF_TASKS.match(interface.description):
        return "tasks of ECS"
    said = f" ({interface.description})" if interface.description else ""
    return f"interface {interface.id}{said}"
