"""The observed network, its parts, and the type of a finding. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from schoolctl.model.surroundings import ANYWHERE, ANYWHERE_V6, SecurityGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import (
        Endpoint,
        LoadBalancer,
        NetworkInterface,
        RouteTable,
        Rule,
        SubnetPlace,
        TargetGroup,
    )
    from schoolctl.model.values import Database


WEB_PORTS = (80, 443)
DATABASE_PORT = 3306
DEFAULT_GROUP = "default"
"""The group of a VPC that everything has which was given none."""


class Reading(StrEnum):
    """What may be denied, and is done without: what is not known then, as messages say it."""

    SERVICE = "what the service uses"
    BALANCING = "the target group and its load balancer"
    DATABASES = "what the database uses"
    HOST = "which database the service uses"
    ROUTES = "the routes of the VPC"
    ENDPOINTS = "the endpoints of the VPC"
    USERS = "who else has the security groups"


class Role(StrEnum):
    """The parts of the chain, outside to inside, as messages call them."""

    ALB = "load balancer"
    SERVICE = "service"
    DATABASE = "database"


@dataclass(frozen=True)
class NetworkState:
    """What was seen. What could not be read is empty or None, and `denied` says so.

    Attributes:
        region: where it was looked.
        vpc_id: the VPC of the service's subnets; empty where there are none.
        service_groups: the ids of the groups that the service's tasks have; None where there is
            no service, or none that may be read.
        service_subnets: the ids of the subnets that they run in, or are going to.
        public_ip: whether they have public addresses.
        target_group: None where there is none, or none that may be read.
        load_balancers: those that forward to the target group.
        databases: the RDS instances and clusters of the account and region.
        database: the one that the service is told to use.
        groups: every group that was found by name, by id or by its use, and those that rules name.
        rules: of the groups of the three parts and of the endpoints.
        subnets: of the VPC.
        route_tables: of the VPC; None where they may not be read.
        endpoints: of the VPC; None where they may not be read.
        interfaces: what has the groups of the three parts; None where that was not read.
        unread: the parameter that tells the service its database, where it would have had to be
            decrypted; empty where it was read, or there is none.
        denied: what could not be read, each with the action that is denied.
    """

    region: str
    vpc_id: str
    service_groups: tuple[str, ...] | None = None
    service_subnets: tuple[str, ...] = ()
    public_ip: bool = True
    target_group: TargetGroup | None = None
    target_group_seen: bool = True
    load_balancers: tuple[LoadBalancer, ...] = ()
    databases: tuple[Database, ...] = ()
    database: Database | None = None
    groups: tuple[SecurityGroup, ...] = ()
    rules: tuple[Rule, ...] = ()
    subnets: tuple[SubnetPlace, ...] = ()
    route_tables: tuple[RouteTable, ...] | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    interfaces: tuple[NetworkInterface, ...] | None = None
    unread: str = ""
    denied: tuple[tuple[Reading, str], ...] = ()

    @property
    def unverified(self) -> tuple[str, ...]:
        """What could not be read, a sentence each."""
        return tuple(f"not verified: {what} ({action} is denied)" for what, action in self.denied)

    def group(self, group_id: str) -> SecurityGroup:
        """Give a group by its id; one that was not found has no name."""
        return self._groups.get(group_id) or SecurityGroup(group_id, "", "")

    @cached_property
    def _groups(self) -> dict[str, SecurityGroup]:
        return {each.id: each for each in self.groups}

    def rules_of(self, group_ids: Iterable[str]) -> tuple[Rule, ...]:
        """Give the rules of some groups, in the order of `rules`."""
        wanted = set(group_ids)
        return tuple(each for each in self.rules if each.group_id in wanted)

    def label(self, group_id: str) -> str:
        """Name a group for people: `sg-1 (schoolApp-alb-sg)`."""
        name = self.group(group_id).name
        return f"{group_id} ({name})" if name else group_id


@dataclass(frozen=True)
class Part:
    """A part of the chain with the groups that count for it.

    Attributes:
        role: which part.
        wanted: the group that schoolctl.yaml names: a name or an id.
        key: the key in schoolctl.yaml that names it.
        user: what has the groups, such as `load balancer school`; empty where nothing was found
            that has them, and they were found by name or id.
        groups: those that count; several are additive. Empty where there is none.
        unused: the named group, where the user has others.
        elsewhere: groups of that name in other VPCs.
    """

    role: Role
    wanted: str
    key: str
    user: str
    groups: tuple[SecurityGroup, ...]
    unused: SecurityGroup | None = None
    elsewhere: tuple[SecurityGroup, ...] = ()

    @property
    def main(self) -> SecurityGroup | None:
        """The group that gets rules which are missing; None where there is no group yet."""
        named = (each for each in self.groups if self.is_named(each))
        return next(named, self.groups[0] if self.groups else None)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the groups that count."""
        return frozenset(each.id for each in self.groups)

    def is_named(self, group: SecurityGroup) -> bool:
        """Say whether schoolctl.yaml names that group."""
        return self.wanted in {group.id, group.name}


@dataclass(frozen=True)
class Edge:
    """Traffic that the chain needs. `source` is None for the internet: then `cidr` is a range."""

    source: Role | None
    target: Role
    port: int
    cidr: str = ""

    @property
    def text(self) -> str:
        """What it is for people: `service -> database: port 3306`."""
        of = " over IPv6" if self.cidr == ANYWHERE_V6 else ""
        return f"{self.source or 'internet'} -> {self.target}: port {self.port}{of}"


Parts = dict[Role, Part]


def parts_of(config: Config, state: NetworkState) -> Parts:
    """Give which groups count for each part: those that are in use, else the named ones."""
    network = config.network
    balancer = next(iter(state.load_balancers), None)
    database = state.database
    return {
        Role.ALB: _part(
            state,
            Role.ALB,
            (network.alb_group, "network.alb_group"),
            f"load balancer {balancer.name}" if balancer else "",
            [each for lb in state.load_balancers for each in lb.security_groups],
        ),
        Role.SERVICE: _part(
            state,
            Role.SERVICE,
            (network.service_group, "network.service_group"),
            f"service {config.service.name}" if state.service_groups else "",
            state.service_groups or _planned(config, state),
        ),
        Role.DATABASE: _part(
            state,
            Role.DATABASE,
            (network.database_group, "network.database_group"),
            f"RDS {database}" if database else "",
            database.security_groups if database else (),
        ),
    }


def _planned(config: Config, state: NetworkState) -> list[str]:
    """Give the groups that `deploy` is going to give the service, where they are there."""
    named = {
        each.name: each.id for each in state.groups if each.vpc_id == state.vpc_id and each.name
    }
    wanted = config.service.security_groups
    known = {each.id for each in state.groups if each.vpc_id}
    return [named.get(each, each) for each in wanted if each in named or each in known]


def _part(
    state: NetworkState,
    role: Role,
    named: tuple[str, str],
    user: str,
    used: Sequence[str],
) -> Part:
    wanted, key = named
    fitting = [each for each in state.groups if each.vpc_id and wanted in {each.id, each.name}]
    here = [each for each in fitting if each.vpc_id == state.vpc_id or each.id == wanted]
    elsewhere = tuple(each for each in fitting if each not in here)
    if used:
        groups = tuple(map(state.group, dict.fromkeys(used)))
        unused = next((each for each in here if each not in groups), None)
        return Part(role, wanted, key, user, groups, unused)
    return Part(role, wanted, key, "", tuple(here), elsewhere=elsewhere)


def database_port(config: Config, state: NetworkState) -> int:
    """Give the port of the database: its own, else the one that the service is told, else 3306."""
    if state.database is not None and state.database.port:
        return state.database.port
    return told_database_port(config)


def told_database_port(config: Config) -> int:
    """Give the port that the service is told to find its database at, else 3306."""
    told = config.task.environment.get("DB_PORT", "")
    return int(told) if told.isdecimal() else DATABASE_PORT


def edges_of(config: Config, state: NetworkState) -> tuple[Edge, ...]:
    """Give the traffic that the chain needs, outside to inside."""
    both = any(each.address_type.startswith("dualstack") for each in state.load_balancers)
    ranges = (ANYWHERE, ANYWHERE_V6) if both else (ANYWHERE,)
    return (
        *(Edge(None, Role.ALB, port, cidr) for cidr in ranges for port in WEB_PORTS),
        Edge(Role.ALB, Role.SERVICE, config.task.port),
        Edge(Role.SERVICE, Role.DATABASE, database_port(config, state)),
    )


class Kind(StrEnum):
    """What sort of difference it is."""

    MISSING = "missing"
    """Something documented is not there."""
    EXTRA = "extra"
    """A rule lets more in than is documented."""
    WRONG = "wrong"
    """Something is there, and set up otherwise."""
    ROUTE = "route"
    """Tasks do not reach an API of AWS that they need."""
    ZONE = "zone"
    """Something is in too few availability zones, or in others than it should be."""


class Severity(StrEnum):
    """Whether it breaks or opens something."""

    FAIL = "fail"
    WARN = "warn"
    """It differs from what is documented, and works all the same."""


APPLY = "network apply"
FIX = "network apply --fix"


@dataclass(frozen=True)
class Finding:
    """One difference between the network and what the service needs.

    Attributes:
        kind: what sort of difference it is.
        what: what is wrong, in one sentence without an end.
        where: the group and the rule, or whatever it is that is wrong.
        why: why it matters, in one sentence without an end.
        cure: the commands that repair it, a line each; a line may say what no command does.
        severity: whether it breaks or opens something.
        fixed_by: our own command that repairs it; empty where none does.
        group_id: the security group; empty where it is about none.
        rule_id: its rule; empty where it is about none.
    """

    kind: Kind
    what: str
    where: str
    why: str
    cure: tuple[str, ...]
    severity: Severity = Severity.FAIL
    fixed_by: str = ""
    group_id: str = ""
    rule_id: str = ""

    def lines(self) -> list[str]:
        """Give it for people."""
        cure = [f"  cure:  {self.cure[0]}", *(f"         {each}" for each in self.cure[1:])]
        return [
            f"{self.kind.upper()}  {self.what}",
            f"  where: {self.where}",
            f"  why:   {self.why}",
            *cure,
        ]

    def document(self) -> dict[str, object]:
        """Give it for `--json`."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "what": self.what,
            "where": self.where,
            "group_id": self.group_id or None,
            "rule_id": self.rule_id or None,
            "why": self.why,
            "cure": list(self.cure),
            "fixed_by": f"schoolctl {self.fixed_by}" if self.fixed_by else None,
        }
