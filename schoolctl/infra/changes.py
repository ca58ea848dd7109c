"""A change set in words: the effect on each resource, and whether data is at risk. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from schoolctl.infra.template import LOG_GROUP
from schoolctl.infra.template_parts import DATABASE
from schoolctl.model.stacks import ResourceChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schoolctl.base.plan import Plan
    from schoolctl.model.stacks import StackEvent


class Effect(StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    CHANGE = "change"
    MAY_REPLACE = "change, or replace"
    REPLACE = "replace"
    DELETE = "delete"
    TAKE_OVER = "take over"


_SIGNS = {
    Effect.CREATE: "+",
    Effect.CHANGE: "~",
    Effect.MAY_REPLACE: "!",
    Effect.REPLACE: "!",
    Effect.DELETE: "-",
    Effect.TAKE_OVER: "=",
}
_ACTIONS = {
    "Add": Effect.CREATE,
    "Import": Effect.TAKE_OVER,
    "Remove": Effect.DELETE,
    "Dynamic": Effect.MAY_REPLACE,
}
_ENDS = {Effect.REPLACE, Effect.DELETE}
_MOVES = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "the service gets another address",
    "AWS::EC2::VPC": "everything in it is replaced, too",
}
"""What else a replacement means."""


@dataclass(frozen=True)
class Told:
    """One change, as people read it."""

    change: ResourceChange
    effect: Effect

    @property
    def data(self) -> str:
        """What becomes of the data; empty where there are none, or nothing happens to them."""
        if self.effect not in _ENDS:
            return ""
        if self.change.logical_id == DATABASE:
            after = "the new one is empty" if self.effect is Effect.REPLACE else "nothing else is"
            return f"DATA AT RISK: its last state is kept in a snapshot, {after}"
        if self.change.logical_id == LOG_GROUP:
            return "its lines are kept under the old name"
        return ""

    def line(self) -> str:
        """Give the change in one line."""
        named = resource(self.change.type, self.change.logical_id)
        because = f" ({', '.join(self.change.properties)})" if self.change.properties else ""
        moved = _MOVES.get(self.change.type, "") if self.effect is Effect.REPLACE else ""
        more = "".join(f"; {each}" for each in (self.data, moved) if each)
        return f"  {_SIGNS[self.effect]} {self.effect} {named}{because}{more}"

    def document(self) -> dict[str, object]:
        """Give the change for `--json`."""
        return {
            "resource": self.change.logical_id,
            "type": self.change.type,
            "id": self.change.physical_id,
            "effect": str(self.effect),
            "properties": list(self.change.properties),
            "data": self.data,
        }


def tell(changes: Iterable[ResourceChange]) -> tuple[Told, ...]:
    """Give changes in words, in the order of the template."""
    return tuple(Told(each, _effect(each)) for each in changes)


def all_new(resources: Mapping[str, Mapping[str, object]]) -> tuple[Told, ...]:
    """Give the changes of a stack that is not there yet: everything is created."""
    return tell(ResourceChange(name, str(each["Type"]), "Add") for name, each in resources.items())


def _effect(change: ResourceChange) -> Effect:
    if change.action == "Modify":
        told = {"True": Effect.REPLACE, "Conditional": Effect.MAY_REPLACE}
        return told.get(change.replacement, Effect.CHANGE)
    return _ACTIONS.get(change.action, Effect.MAY_REPLACE)


def ends_database(changes: Sequence[Told]) -> bool:
    """Say whether the database would go, or be replaced by an empty one."""
    return any(each.change.logical_id == DATABASE and each.effect in _ENDS for each in changes)


def ends_something(changes: Sequence[Told]) -> bool:
    """Say whether anything would go or be replaced."""
    return any(each.effect in _ENDS for each in changes)


def totals(changes: Sequence[Told]) -> str:
    """Count the changes: `2 to create, 1 to replace`."""
    counts = {effect: sum(each.effect is effect for each in changes) for effect in Effect}
    return ", ".join(f"{number} to {effect}" for effect, number in counts.items() if number)


def changes_of_plan(stack: str, changes: Sequence[Told], plan: Plan) -> dict[str, object]:
    """Give a plan's changes for `--json`."""
    return {
        "stack": stack,
        "changes": [each.document() for each in changes],
        "plan": [each.describe() for each in plan.steps],
    }


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
