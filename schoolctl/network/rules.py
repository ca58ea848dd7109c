"""The check of the network, and the plan that repairs it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import MissingThingsError
from schoolctl.base.plan import Plan
from schoolctl.base.text import count
from schoolctl.model.surroundings import APP_TAG
from schoolctl.network.chain import group_findings, others, rule_findings
from schoolctl.network.group_rules import Status, judge, repeated, rule_text
from schoolctl.network.routes import entry_findings, route_findings
from schoolctl.network.state import DEFAULT_GROUP, Role, parts_of
from schoolctl.network.steps import (
    AuthorizeEgress,
    AuthorizeIngress,
    CreateSecurityGroup,
    KnownGroup,
    NewGroup,
    RevokeIngress,
)
from schoolctl.network.targets import target_findings, zone_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.network.group_rules import Judged
    from schoolctl.network.state import Edge, Finding, NetworkState, Part, Parts
    from schoolctl.network.steps import GroupRef


def plan_network(config: Config, state: NetworkState, *, fix: bool) -> Plan:
    """Decide the steps to the documented chain.

    What is missing comes first: no step takes away what is in use before its successor is there.

    Args:
        config: the configuration of the environment.
        state: what was observed.
        fix: whether rules that are too many go.

    Raises:
        MissingThingsError: a group that is named by its id is not there, or no VPC is known.
    """
    parts = parts_of(config, state)
    _refuse_gaps(state, parts)
    judged = judge(config, state, parts)
    adding: tuple[Step, ...] = (
        *_groups(config, state, parts),
        *_rules(state, parts, judged),
        *(AuthorizeEgress(_ref(parts[role])) for role in judged.closed),
    )
    removing = tuple(_removals(state, judged)) if fix else ()
    steps, notes = (*adding, *removing), notes_of(config, state)
    app = f"{config.app} in {config.environment}"
    return Plan(
        f"lay the network of {app}: {_sum(adding, removing)}.",
        steps,
        nothing=f"nothing to do: the groups of {app} are as documented"
        if not judged.extra or fix
        else f"nothing to add to the groups of {app}",
        # Whose rules are about to change is no mere note.
        notes=() if steps else notes,
        warnings=(
            *state.unverified,
            *(notes if steps else ()),
            *_warnings(config, state, judged, fix=fix),
        ),
        deletes=bool(removing),
    )


def _sum(adding: Sequence[Step], removing: Sequence[Step]) -> str:
    groups = sum(isinstance(each, CreateSecurityGroup) for each in adding)
    rules = len(adding) - groups
    added = [count(groups, "group")] if groups else []
    added += [count(rules, "rule")] if rules else []
    said = [f"{' and '.join(added)} added"] if added else []
    return ", ".join([*said, *([f"{count(len(removing), 'rule')} removed"] if removing else [])])


def _refuse_gaps(state: NetworkState, parts: Parts) -> None:
    gaps = [
        f"security group {part.wanted}: correct {part.key}"
        for part in parts.values()
        if not part.groups and part.wanted.startswith("sg-")
    ]
    if not state.vpc_id and not all(part.groups for part in parts.values()):
        gaps.append("a VPC to make groups in: correct service.subnets, which finds no subnet")
    if gaps:
        raise MissingThingsError(
            f"cannot lay the network: {count(len(gaps), 'thing')} missing; nothing was changed",
            gaps,
            hint="correct schoolctl.yaml, then run it again",
        )


def _groups(config: Config, state: NetworkState, parts: Parts) -> Iterator[Step]:
    for role, part in parts.items():
        if not part.groups:
            yield CreateSecurityGroup(
                part.wanted,
                state.vpc_id,
                f"{role} of {config.app}, {config.environment}",
                {
                    "Name": part.wanted,
                    APP_TAG: config.app,
                    "environment": config.environment,
                },
            )


def _rules(state: NetworkState, parts: Parts, judged: Judged) -> Iterator[Step]:
    for each in judged.edges:
        edge = each.edge
        if each.status is Status.OK or not _is_reachable(edge, state, parts):
            continue
        source = _ref(parts[edge.source]) if edge.source is not None else edge.cidr
        yield AuthorizeIngress(_ref(parts[edge.target]), edge.port, source)


def _is_reachable(edge: Edge, state: NetworkState, parts: Parts) -> bool:
    """Say whether both ends are in the service's VPC; a rule cannot name a group of another."""
    ends = [edge.target, *([edge.source] if edge.source is not None else [])]
    groups = [parts[role].main for role in ends]
    return all(each is None or each.vpc_id in {"", state.vpc_id} for each in groups)


def _ref(part: Part) -> GroupRef:
    group = part.main
    return NewGroup(part.wanted) if group is None else KnownGroup(group.id, group.name)


def _removals(state: NetworkState, judged: Judged) -> Iterator[Step]:
    for _, rule in judged.extra:
        group = state.group(rule.group_id)
        yield RevokeIngress(KnownGroup(group.id, group.name), rule.id, rule_text(rule, state))


def _warnings(config: Config, state: NetworkState, judged: Judged, *, fix: bool) -> Iterator[str]:
    if judged.extra and not fix:
        stay = "stays" if len(judged.extra) == 1 else "stay"
        yield (
            f"{count(len(judged.extra), 'rule')} too many {stay}: `schoolctl network check` shows"
            " them, `schoolctl network apply --fix` removes them"
        )
    left = [each for each in check_network(config, state) if not each.fixed_by]
    if left:
        are = "difference is" if len(left) == 1 else "differences are"
        yield (
            f"{len(left)} {are} not of the groups' rules, and not repaired here:"
            " `schoolctl network check` shows what to do"
        )


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
