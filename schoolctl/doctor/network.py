"""Checks of the network: what `network check` finds, a line for each part of it. Pure.

What other checks of `doctor` look at (target group, listener, whether the groups of the service
exist) is not told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schoolctl.base.text import count
from schoolctl.doctor.service import NO_BALANCER
from schoolctl.doctor.verdict import Check, Group, Verdict, fail, not_seen, ok, skip, warn
from schoolctl.network.chain import egress_findings, group_findings, rule_findings
from schoolctl.network.group_rules import judge
from schoolctl.network.routes import entry_findings, route_findings
from schoolctl.network.state import APPLY, FIX, Reading, Role, Severity, edges_of, parts_of
from schoolctl.network.targets import balancer_findings, balancer_zone_findings, zone_findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.config.models import Config
    from schoolctl.network.state import Finding, NetworkState, Part

_READ_FOR = {
    Role.ALB: (Reading.BALANCING,),
    Role.SERVICE: (Reading.SERVICE, Reading.BALANCING),
    Role.DATABASE: (Reading.SERVICE, Reading.DATABASES),
}
"""What tells the groups at both ends of the edges to a part."""


def judge_balancer(config: Config, state: NetworkState) -> Verdict:
    """Judge whether the load balancer serves the internet, from the VPC of the service."""
    if config.service.target_group is None:
        return ok(NO_BALANCER)
    named = ", ".join(f"{each.name} ({each.scheme})" for each in state.load_balancers)
    well = named or "none forwards to the target group"
    return _judged(state, (Reading.BALANCING,), balancer_findings(state), well)


LOAD_BALANCER = Check(
    "load balancer",
    Group.NETWORK,
    needs=("subnets", "listener"),
    look=lambda look: look.network,
    judge=lambda look, seen: judge_balancer(look.config, seen),
    skip_if_denied=True,
)


def judge_rules(config: Config, state: NetworkState, role: Role) -> Verdict:
    """Judge the security groups of a part: what its upstream needs is let in, and nothing else."""
    if role is Role.ALB and config.service.target_group is None:
        return ok(NO_BALANCER)
    parts = parts_of(config, state)
    part, judged = parts[role], judge(config, state, parts)
    read = _READ_FOR[role]
    if role is Role.SERVICE and config.service.target_group is None:
        # Who is to reach it then stands nowhere.
        return _judged(state, read, egress_findings(part, judged, state), NO_BALANCER)
    if role is Role.DATABASE and _is_elsewhere(part) and not _denied(state, read):
        return skip(
            f"no database of RDS is known to be the service's, and there is no group {part.wanted}"
        )
    findings = (*group_findings(part, state), *rule_findings(role, judged, state, parts))
    ports = dict.fromkeys(str(each.port) for each in edges_of(config, state) if each.target is role)
    lets_in = f"{' and '.join(ports)} alone {'is' if len(ports) == 1 else 'are'} open"
    has = ", ".join(each.name or each.id for each in part.groups)
    return _judged(state, read, findings, f"{has}: {lets_in}{_doubt(role, state)}")


BALANCER_RULES = Check(
    "balancer rules",
    Group.NETWORK,
    needs=("subnets", "listener"),
    look=lambda look: look.network,
    judge=lambda look, seen: judge_rules(look.config, seen, Role.ALB),
    skip_if_denied=True,
)
SERVICE_RULES = Check(
    "service rules",
    Group.NETWORK,
    needs=("subnets", "security groups", "listener"),
    look=lambda look: look.network,
    judge=lambda look, seen: judge_rules(look.config, seen, Role.SERVICE),
    skip_if_denied=True,
)
DATABASE_RULES = Check(
    "database rules",
    Group.NETWORK,
    needs=("subnets", "security groups"),
    look=lambda look: look.network,
    judge=lambda look, seen: judge_rules(look.config, seen, Role.DATABASE),
    skip_if_denied=True,
)


def _is_elsewhere(part: Part) -> bool:
    """Return whether no database group was found: RDS may have none, or none yet."""
    return not part.groups and not part.wanted.startswith("sg-")


def _doubt(role: Role, state: NetworkState) -> str:
    """Return a remark where the database's group is known by its name alone."""
    if role is not Role.DATABASE or state.database is not None:
        return ""
    why = f", for doctor does not decrypt {state.unread}" if state.unread else ""
    return f"; which database has it is not known{why}"


def judge_routes(config: Config, state: NetworkState) -> Verdict:
    """Judge whether tasks reach the APIs that they need, and the internet the load balancer."""
    service = parts_of(config, state)[Role.SERVICE]
    return _judged(
        state,
        (Reading.SERVICE, Reading.ROUTES, Reading.ENDPOINTS),
        # One table may be of both: then one line is enough.
        (*route_findings(config, state, service), *entry_findings(state)),
        f"{count(len(state.service_subnets), 'subnet')} with a way to what the tasks need of AWS",
    )


ROUTES = Check(
    "routes",
    Group.NETWORK,
    needs=("subnets",),
    look=lambda look: look.network,
    judge=lambda look, seen: judge_routes(look.config, seen),
    skip_if_denied=True,
)


def judge_zones(state: NetworkState) -> Verdict:
    """Judge whether the service outlives a zone, and the load balancer has all zones of tasks."""
    zones = {each.zone for each in state.subnets if each.id in state.service_subnets}
    return _judged(
        state,
        (Reading.SERVICE, Reading.BALANCING),
        (*zone_findings(state), *balancer_zone_findings(state)),
        ", ".join(sorted(zones)),
    )


ZONES = Check(
    "zones",
    Group.NETWORK,
    needs=("subnets",),
    look=lambda look: look.network,
    judge=lambda _, seen: judge_zones(seen),
    skip_if_denied=True,
)


def _judged(
    state: NetworkState, read: Sequence[Reading], findings: Iterable[Finding], well: str
) -> Verdict:
    """Return the verdict of one check.

    Args:
        state: what was observed.
        read: without which of the reads it cannot tell: half a chain looks broken.
        findings: what is wrong.
        well: what to say where nothing is.
    """
    denied = _denied(state, read)
    if denied:
        return not_seen(denied)
    found = tuple(findings)
    broken = tuple(each for each in found if each.severity is Severity.FAIL)
    told = broken or found
    if not told:
        return ok(well)
    more = f"; and {count(len(told) - 1, 'other')}" if len(told) > 1 else ""
    return (fail if broken else warn)(f"{told[0].what}{more}", _cure(told))


def _denied(state: NetworkState, read: Sequence[Reading]) -> str:
    return next((action for reading, action in state.denied if reading in read), "")


def _cure(found: Sequence[Finding]) -> str:
    """Return one cure for findings: our command, AWS's, or the command that lists them all."""
    ours = {each.fixed_by for each in found}
    if "" not in ours:
        return f"`schoolctl {FIX if FIX in ours else APPLY}`"
    first = {each.cure[0] for each in found}
    if len(first) > 1:
        return "`schoolctl network check` tells what to do about each"
    [cure] = first
    cure = f"`{cure}`" if cure.startswith("aws ") else cure
    others = any(len(each.cure) > 1 for each in found)
    return f"{cure}; `schoolctl network check` tells what else would do" if others else cure


CHECKS: tuple[Check[Any], ...] = (
    LOAD_BALANCER,
    BALANCER_RULES,
    SERVICE_RULES,
    DATABASE_RULES,
    ROUTES,
    ZONES,
)
