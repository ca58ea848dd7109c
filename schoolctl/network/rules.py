"""The plan that makes the chain: groups, rules that are missing and, with `fix`, no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import MissingThingsError
from schoolctl.base.plan import Plan
from schoolctl.base.text import count
from schoolctl.network.check import check_network, notes_of
from schoolctl.network.group_rules import Status, judge, rule_text
from schoolctl.network.state import parts_of
from schoolctl.network.steps import (
    APP_TAG,
    AuthorizeEgress,
    AuthorizeIngress,
    CreateSecurityGroup,
    KnownGroup,
    NewGroup,
    RevokeIngress,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.network.group_rules import Judged
    from schoolctl.network.state import Edge, NetworkState, Part, Parts
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
