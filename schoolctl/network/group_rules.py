"""Which rules of the security groups the chain needs, which are too many, and which are missing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from schoolctl.model.surroundings import ANYWHERE, ANYWHERE_V6, EVERY_PROTOCOL, SourceKind
from schoolctl.network.state import WEB_PORTS, Edge, Role, edges_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import Rule, Source
    from schoolctl.network.state import NetworkState, Parts

_EVERY_PORT = (0, 65535)
_ICMP = {"icmp": "icmp", "icmpv6": "icmpv6", "1": "icmp", "58": "icmpv6"}


class Status(StrEnum):
    """What became of an edge of the chain; the words that the diagram has for it."""

    OK = "OK"
    MISSING = "MISSING"
    TOO_WIDE = "TOO WIDE"
    """It is allowed, and only by rules that allow more than that."""


@dataclass(frozen=True)
class EdgeState:
    """An edge, and the rules that allow it."""

    edge: Edge
    exact: tuple[Rule, ...]
    """Those that allow it and nothing else; in one group each, so that more are only repeated."""
    wider: tuple[Rule, ...]
    """Those that allow it and more."""

    @property
    def status(self) -> Status:
        """What became of it."""
        if self.exact:
            return Status.OK
        return Status.TOO_WIDE if self.wider else Status.MISSING


@dataclass(frozen=True)
class Judged:
    """The rules of the three parts, judged."""

    edges: tuple[EdgeState, ...]
    extra: tuple[tuple[Role, Rule], ...]
    """The rules that the chain does not need, with the part that they open."""
    closed: tuple[Role, ...]
    """The parts that may not connect to just anything."""

    def carried_by(self, rule: Rule) -> tuple[Edge, ...]:
        """Give the edges that a rule which is too wide carries alone."""
        return tuple(
            each.edge
            for each in self.edges
            if each.status is Status.TOO_WIDE and rule in each.wider
        )

    def state_of(self, target: Role) -> tuple[EdgeState, ...]:
        """Give the edges that lead to a part."""
        return tuple(each for each in self.edges if each.edge.target is target)

    def extra_of(self, role: Role) -> tuple[Rule, ...]:
        """Give the rules of a part that are too many."""
        return tuple(rule for each, rule in self.extra if each is role)


def judge(config: Config, state: NetworkState, parts: Parts) -> Judged:
    """Compare the rules with the chain.

    Groups of one part are additive. A group that two parts share is open for what either needs.
    """
    needed = edges_of(config, state)
    # Anywhere means both kinds of address; whoever wrote both rules did not open too much.
    allowed = (*needed, *(Edge(None, Role.ALB, port, ANYWHERE_V6) for port in WEB_PORTS))
    edges = []
    for edge in needed:
        rules = [each for each in state.rules_of(parts[edge.target].ids) if not each.egress]
        edges.append(
            EdgeState(
                edge,
                tuple(each for each in rules if is_exactly(each, edge, parts)),
                tuple(
                    each
                    for each in rules
                    if not is_exactly(each, edge, parts) and carries(each, edge, parts, state)
                ),
            )
        )
    extra: dict[str, tuple[Role, Rule]] = {}
    for role, part in parts.items():
        for rule in state.rules_of(part.ids):
            wanted = any(
                rule.group_id in parts[edge.target].ids and is_exactly(rule, edge, parts)
                for edge in allowed
            )
            if not rule.egress and not wanted:
                extra.setdefault(rule.id, (role, rule))
    closed = tuple(
        role
        for role, part in parts.items()
        if part.groups and not any(map(is_open_egress, state.rules_of(part.ids)))
    )
    return Judged(tuple(edges), tuple(extra.values()), closed)


def is_exactly(rule: Rule, edge: Edge, parts: Parts) -> bool:
    """Say whether a rule allows an edge and nothing else."""
    return (
        rule.protocol == "tcp"
        and rule.ports == (edge.port, edge.port)
        and _is_source(rule.source, edge, parts)
    )


def _is_source(source: Source, edge: Edge, parts: Parts) -> bool:
    if edge.source is None:
        return source.value == edge.cidr
    return source.kind is SourceKind.GROUP and source.value in parts[edge.source].ids


def carries(rule: Rule, edge: Edge, parts: Parts, state: NetworkState) -> bool:
    """Say whether a rule allows an edge, whatever else it allows."""
    if not opens(rule, edge.port):
        return False
    if _is_source(rule.source, edge, parts):
        return True
    if edge.source is None or rule.source.kind is not SourceKind.IPV4:
        return False
    return _contains(rule.source.value, _addresses(edge.source, state))


def opens(rule: Rule, port: int) -> bool:
    """Say whether a rule is for a tcp port, whatever else it is for."""
    low, high = rule.ports or _EVERY_PORT
    return rule.protocol in {"tcp", EVERY_PROTOCOL} and low <= port <= high


def _addresses(role: Role, state: NetworkState) -> list[str]:
    """Give the ranges that the traffic of a part comes from; empty where they are not known."""
    ids = (
        state.service_subnets
        if role is Role.SERVICE
        else [each for balancer in state.load_balancers for each in balancer.subnets]
    )
    return [each.cidr for each in state.subnets if each.id in ids]


def _contains(cidr: str, ranges: Sequence[str]) -> bool:
    if cidr == ANYWHERE:
        return True
    outer = ipaddress.ip_network(cidr, strict=False)
    inner = [ipaddress.ip_network(each, strict=False) for each in ranges]
    return bool(inner) and all(
        outer.version == each.version and outer.supernet_of(each)  # type: ignore[arg-type]  # of one version
        for each in inner
    )


def is_open_egress(rule: Rule) -> bool:
    """Say whether a rule lets everything out."""
    return rule.egress and rule.protocol == EVERY_PROTOCOL and rule.source.value == ANYWHERE


def covers_port(rules: Iterable[Rule], port: int, sources: frozenset[str], cidr: str) -> bool:
    """Say whether rules let one of some groups, or every address of a range, in on a tcp port."""
    for rule in rules:
        if rule.egress or not opens(rule, port):
            continue
        if rule.source.kind is SourceKind.GROUP and rule.source.value in sources:
            return True
        if rule.source.kind is SourceKind.IPV4 and _contains(rule.source.value, [cidr]):
            return True
    return False


# In words


def rule_text(rule: Rule, state: NetworkState) -> str:
    """Give a rule for people: `tcp 3306 from anywhere (0.0.0.0/0)`."""
    return f"{traffic_text(rule)} from {source_text(rule, state)}"


def traffic_text(rule: Rule) -> str:
    """Give what a rule lets through: `tcp 3000-3010`, `all traffic`, `icmp`."""
    if rule.protocol == EVERY_PROTOCOL:
        return "all traffic"
    name = _ICMP.get(rule.protocol, rule.protocol)
    if rule.ports is None:
        return f"protocol {name}" if name.isdecimal() else name
    low, high = rule.ports
    if rule.ports == _EVERY_PORT:
        return f"{name}, every port,"
    return f"{name} {low}" if low == high else f"{name} {low}-{high}"


def source_text(rule: Rule, state: NetworkState) -> str:
    """Give where the traffic of a rule comes from."""
    source = rule.source
    match source.kind:
        case SourceKind.IPV4 | SourceKind.IPV6:
            anywhere = source.value in {ANYWHERE, ANYWHERE_V6}
            return f"anywhere ({source.value})" if anywhere else source.value
        case SourceKind.PREFIX_LIST:
            return f"prefix list {source.value}"
        case SourceKind.GROUP if source.value == rule.group_id:
            return "the group itself"
        case SourceKind.GROUP:
            owner = f" of account {source.account}" if source.account else ""
            behind = f" behind {source.peering}" if source.peering else ""
            return f"group {state.label(source.value)}{owner}{behind}"
        case SourceKind.UNKNOWN:
            return "a source that AWS does not name"


def repeated(judged: Judged) -> list[tuple[Edge, tuple[Rule, ...]]]:
    """Give the edges that more than one rule allows exactly; the others change nothing."""
    return [(each.edge, each.exact) for each in judged.edges if len(each.exact) > 1]
