"""The steps that change security groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class NewGroup:
    """Placeholder for the id of a security group that this plan creates."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class KnownGroup:
    """A security group that is there."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.id} ({self.name})" if self.name else self.id


GroupRef = NewGroup | KnownGroup


@dataclass(frozen=True)
class CreateSecurityGroup(Step):
    """Create a security group; its egress is open, as AWS makes every group."""

    name: str
    vpc_id: str
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create security group {self.name} in {self.vpc_id}"


@dataclass(frozen=True)
class AuthorizeIngress(Step):
    """Let a range of addresses, or whatever has a group, in on one tcp port."""

    group: GroupRef
    port: int
    source: GroupRef | str
    """A group, or a range of addresses."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"allow tcp {self.port} from {self.source} in {self.group}"


@dataclass(frozen=True)
class AuthorizeEgress(Step):
    """Let whatever has a group connect to everywhere."""

    group: GroupRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"allow all traffic out in {self.group}"


@dataclass(frozen=True)
class RevokeIngress(Step):
    """Take one rule away."""

    group: KnownGroup
    rule_id: str
    rule: str
    """The rule for people: `tcp 3306 from anywhere (0.0.0.0/0)`."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"remove {self.rule} from {self.group} ({self.rule_id})"


AnyNetworkStep = CreateSecurityGroup | AuthorizeIngress | AuthorizeEgress | RevokeIngress
