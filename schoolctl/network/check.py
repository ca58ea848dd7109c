"""The check: every difference, outside to inside, and what is to be known besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.network.chain import group_findings, rule_findings
from schoolctl.network.group_rules import judge, repeated
from schoolctl.network.routes import entry_findings, route_findings
from schoolctl.network.state import DEFAULT_GROUP, Role, parts_of
from schoolctl.network.targets import target_findings, zone_findings
from schoolctl.network.users import others

if TYPE_CHECKING:
    from schoolctl.config.models import Config
    from schoolctl.network.finding import Finding
    from schoolctl.network.state import NetworkState, Part


def check_network(config: Config, state: NetworkState) -> tuple[Finding, ...]:
    """Give every difference between the network and what the service needs; empty is right.

    What could not be read is no difference: `notes_of` tells of it.
    """
    parts = parts_of(config, state)
    judged = judge(config, state, parts)
    return (
        *(found for part in parts.values() for found in group_findings(part, state)),
        *(found for role in parts for found in rule_findings(role, judged, state, parts)),
        *target_findings(config, state),
        *zone_findings(state),
        *entry_findings(state),
        *route_findings(config, state, parts[Role.SERVICE]),
    )


def notes_of(config: Config, state: NetworkState) -> tuple[str, ...]:
    """Give what is no difference and worth knowing: other names, repetitions, who else is there."""
    parts = parts_of(config, state)
    judged = judge(config, state, parts)
    lines = [line for part in parts.values() for line in _about(part, state)]
    lines += _shared(state, parts)
    if parts[Role.DATABASE].groups and state.database is None and not state.unverified:
        lines.append(
            "no RDS database was found to be the service's: its group is known by its name alone"
        )
    for edge, rules in repeated(judged):
        named = ", ".join(f"{each.id} of {state.label(each.group_id)}" for each in rules)
        lines.append(f"{edge.text} is allowed more than once, which changes nothing: {named}")
    return tuple(lines)


def _about(part: Part, state: NetworkState) -> list[str]:
    lines = []
    has = ", ".join(state.label(each.id) for each in part.groups)
    # Without a service, its groups are those that a deploy is going to give it.
    user = part.user or ("service.security_groups" if part.role is Role.SERVICE else "")
    if part.unused is not None:
        lines.append(
            f"{user} does not have {state.label(part.unused.id)}, which {part.key} names:"
            f" it has {has}"
        )
    elif user and part.groups and not any(map(part.is_named, part.groups)):
        lines.append(f"{user} has {has}; {part.key} names {part.wanted}, which is not there")
    for group in part.groups:
        if group.name == DEFAULT_GROUP:
            lines.append(
                f"{state.label(group.id)} is the VPC's default group: whatever is made without a"
                f" group of its own has it, and gets what the {part.role} is allowed"
            )
        who = others(group.id, part.role, state)
        if who:
            lines.append(f"{state.label(group.id)} is used by others, too: {', '.join(who)}")
    return lines


def _shared(state: NetworkState, parts: dict[Role, Part]) -> list[str]:
    """Say which group serves for two parts: what is open for one is open for the other."""
    lines = []
    given = list(parts.values())
    for number, first in enumerate(given):
        for second in given[number + 1 :]:
            lines += [
                f"{state.label(each)} is on the {first.role} and on the {second.role}: what is"
                " open for one is open for the other"
                for each in sorted(first.ids & second.ids)
            ]
    return lines
