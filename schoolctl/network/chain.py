"""Findings of the chain: security groups, rules missing or too many, other users. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schoolctl.base.text import count
from schoolctl.model.surroundings import ANYWHERE, ANYWHERE_V6, SourceKind
from schoolctl.network.group_rules import Status, opens, rule_text, traffic_text
from schoolctl.network.state import APPLY, FIX, Finding, Kind, Role, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.model.surroundings import NetworkInterface, Rule
    from schoolctl.network.group_rules import EdgeState, Judged
    from schoolctl.network.state import Edge, NetworkState, Part, Parts


_UPSTREAM = {Role.ALB: "internet", Role.SERVICE: Role.ALB, Role.DATABASE: Role.SERVICE}
_NOT_REACHED = {
    Role.ALB: "nobody reaches the site there: the connection times out",
    Role.SERVICE: "requests and health checks do not reach the tasks: users get 504, and ECS"
    " replaces the tasks for ever",
    Role.DATABASE: "the service does not reach its database: registrations end with 503",
}
_ANYBODY = {
    Role.ALB: "the load balancer is to serve ports 80 and 443 alone",
    Role.SERVICE: "anybody who reaches the tasks goes around the load balancer",
    Role.DATABASE: "anybody who reaches the database may try passwords there; only the service"
    " is to reach it",
}
_CLOSED = {
    Role.ALB: "the load balancer may not reach the tasks on every port that they have",
    Role.SERVICE: "tasks may not pull their image, read parameters and secrets, or write logs",
    Role.DATABASE: "egress is documented as open; answers to what is let in go out all the same",
}


def group_findings(part: Part, state: NetworkState) -> Iterator[Finding]:
    """Find that a part has no security group, or that its group is in another VPC."""
    if not part.groups:
        yield _no_group(part.role, part, state)
    for group in part.groups:
        if group.vpc_id and state.vpc_id and group.vpc_id != state.vpc_id:
            yield _other_vpc(part.role, part, group.id, group.vpc_id, state)


def _no_group(role: Role, part: Part, state: NetworkState) -> Finding:
    vpc = state.vpc_id or "any VPC"
    by_id = part.wanted.startswith("sg-")
    seen = ", ".join(f"{each.id} in {each.vpc_id}" for each in part.elsewhere)
    there = f"; one of that name is {seen}" if seen else ""
    return Finding(
        Kind.MISSING,
        f"the {role} has no security group {part.wanted}{there}",
        vpc,
        "a rule can name a group of its own VPC only"
        if seen
        else f"nothing can be let in to the {role}, or be known by it",
        (f"correct {part.key} in schoolctl.yaml",) if by_id else (f"schoolctl {APPLY}",),
        fixed_by="" if by_id else APPLY,
    )


def _other_vpc(role: Role, part: Part, group_id: str, vpc: str, state: NetworkState) -> Finding:
    return Finding(
        Kind.WRONG,
        f"the {role} is in {vpc}, the service in {state.vpc_id}",
        state.label(group_id),
        "they reach each other only where the VPCs are peered and both have routes for it",
        (
            f"move the {part.user or role} to {state.vpc_id}",
            f"or choose the service's subnets in {vpc}: service.subnets",
        ),
        group_id=group_id,
    )


def rule_findings(
    role: Role, judged: Judged, state: NetworkState, parts: Parts
) -> Iterator[Finding]:
    """Find edges to a part that no rule allows, rules of it that are too many, closed egress."""
    for each in judged.state_of(role):
        if each.status is Status.MISSING and _has_groups(each.edge, parts):
            yield _missing(each, judged, state, parts)
    for rule in judged.extra_of(role):
        yield _extra(role, rule, judged, state, parts)
    yield from egress_findings(parts[role], judged, state)


def egress_findings(part: Part, judged: Judged, state: NetworkState) -> Iterator[Finding]:
    """Find that a part may not connect to just anything."""
    if part.role in judged.closed:
        yield _closed(part.role, part, state)


def _has_groups(edge: Edge, parts: Parts) -> bool:
    ends = [parts[edge.target], *([parts[edge.source]] if edge.source else [])]
    return all(each.groups for each in ends)


def _missing(found: EdgeState, judged: Judged, state: NetworkState, parts: Parts) -> Finding:
    edge, part = found.edge, parts[found.edge.target]
    group = part.main
    if group is None:
        raise AssertionError("an edge without a group is told with the group")
    instead = _instead(edge, judged, state, parts)
    return Finding(
        Kind.MISSING,
        f"{edge.text} is not allowed{f' ({instead})' if instead else ''}",
        state.label(group.id),
        _NOT_REACHED[edge.target],
        (authorize_command(edge, parts),),
        fixed_by=APPLY if _is_here(edge, parts, state) else "",
        group_id=group.id,
    )


def _is_here(edge: Edge, parts: Parts, state: NetworkState) -> bool:
    """Say whether both ends are in the service's VPC: rules do not reach further."""
    ends = [parts[edge.target].main, *([parts[edge.source].main] if edge.source else [])]
    return all(each is not None and each.vpc_id in {"", state.vpc_id} for each in ends)


def _instead(edge: Edge, judged: Judged, state: NetworkState, parts: Parts) -> str:
    """Say what is allowed in place of an edge: another port, or the other kind of address."""
    sources = parts[edge.source].ids if edge.source else {edge.cidr}
    extra = judged.extra_of(edge.target)
    ports = [traffic_text(each) for each in extra if each.source.value in sources]
    if ports:
        return f"{', '.join(ports)} is"
    rules = state.rules_of(parts[edge.target].ids)
    over_ipv6 = any(
        each.ports == (edge.port, edge.port) and each.source.value == ANYWHERE_V6 for each in rules
    )
    return "it is over IPv6 alone" if over_ipv6 else ""


def authorize_command(edge: Edge, parts: Parts) -> str:
    """Give the command that adds the rule for an edge."""
    target = parts[edge.target].main
    source = parts[edge.source].main if edge.source else None
    group = target.id if target is not None else "GROUP"
    start = f"aws ec2 authorize-security-group-ingress --group-id {group}"
    if edge.source is not None:
        named = source.id if source is not None else "GROUP"
        return f"{start} --protocol tcp --port {edge.port} --source-group {named}"
    if edge.cidr == ANYWHERE:
        return f"{start} --protocol tcp --port {edge.port} --cidr {edge.cidr}"
    return (
        f"{start} --ip-permissions 'IpProtocol=tcp,FromPort={edge.port},ToPort={edge.port},"
        f"Ipv6Ranges=[{{CidrIpv6={edge.cidr}}}]'"
    )


def revoke_command(rule: Rule) -> str:
    """Give the command that takes a rule away."""
    return (
        f"aws ec2 revoke-security-group-ingress --group-id {rule.group_id}"
        f" --security-group-rule-ids {rule.id}"
    )


def _extra(role: Role, rule: Rule, judged: Judged, state: NetworkState, parts: Parts) -> Finding:
    carried = judged.carried_by(rule)
    first = [authorize_command(edge, parts) for edge in carried]
    alone = (
        f"; it is all that allows {' and '.join(each.text for each in carried)}" if carried else ""
    )
    return Finding(
        Kind.EXTRA,
        f"the {role} lets in {rule_text(rule, state)}{alone}",
        f"{state.label(rule.group_id)}, rule {rule.id}",
        _why_too_many(role, rule, judged, parts),
        (*first, revoke_command(rule)),
        fixed_by=FIX,
        group_id=rule.group_id,
        rule_id=rule.id,
    )


def _why_too_many(role: Role, rule: Rule, judged: Judged, parts: Parts) -> str:
    edges = [each.edge for each in judged.state_of(role)]
    upstream = _UPSTREAM[role]
    anywhere = rule.source.value in {ANYWHERE, ANYWHERE_V6}
    ports = dict.fromkeys(each.port for each in edges)
    if role is not Role.ALB and rule.source.value in parts[Role(upstream)].ids:
        needed = " and ".join(map(str, ports))
        return f"the {upstream} needs port {needed} alone: what else listens is open to it, too"
    whoever = _whoever(rule, anywhere=anywhere)
    if not any(opens(rule, port) for port in ports):
        return f"nothing documented listens there: whatever does, is open to {whoever}"
    if anywhere or role is Role.ALB:
        return _ANYBODY[role]
    return f"the {role} is open to {whoever}, and only the {upstream} is to reach it"


def _whoever(rule: Rule, *, anywhere: bool) -> str:
    match rule.source.kind:
        case _ if anywhere:
            return "anybody"
        case SourceKind.GROUP:
            return "whatever has that group"
        case SourceKind.PREFIX_LIST:
            return "every address of the list, which others may lengthen"
        case _:
            return "every address of that range"


def _closed(role: Role, part: Part, state: NetworkState) -> Finding:
    group = part.main
    if group is None:
        raise AssertionError("a part without a group has no rules")
    return Finding(
        Kind.MISSING,
        f"the {role} may not connect to everywhere: its egress is not open",
        state.label(group.id),
        _CLOSED[role],
        (
            (
                f"aws ec2 authorize-security-group-egress --group-id {group.id}"
                f" --ip-permissions 'IpProtocol=-1,IpRanges=[{{CidrIp={ANYWHERE}}}]'"
            ),
        ),
        severity=Severity.WARN if role is Role.DATABASE else Severity.FAIL,
        fixed_by=APPLY,
        group_id=group.id,
    )


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
