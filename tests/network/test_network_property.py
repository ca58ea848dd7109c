"""Whatever rules there are: a repair leaves the chain, and only with --fix does anything go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as some

from schoolctl.model.surroundings import ANYWHERE, ANYWHERE_V6, EVERY_PROTOCOL, SecurityGroup
from schoolctl.network.rules import check_network, plan_network
from schoolctl.network.state import Kind
from schoolctl.network.steps import (
    AuthorizeEgress,
    AuthorizeIngress,
    CreateSecurityGroup,
    KnownGroup,
    NewGroup,
    RevokeIngress,
)
from tests.worlds.network_scenes import (
    ALB,
    DOCUMENTED,
    ECS,
    GROUPS,
    OPEN,
    RDS,
    VPC,
    balancer,
    config,
    database,
    rule,
    state,
)

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.network.state import NetworkState
    from schoolctl.network.steps import GroupRef

OTHER = "sg-other"
_ports = some.sampled_from([22, 80, 443, 3000, 3306, (0, 65535), (80, 443), (3000, 3010)])
_sources = some.sampled_from(
    [ANYWHERE, ANYWHERE_V6, "10.0.0.0/16", "10.0.1.7/32", "pl-1", ALB, ECS, RDS, OTHER]
)
_groups = some.sampled_from([ALB, ECS, RDS, OTHER])
_rules = some.one_of(
    some.sampled_from(DOCUMENTED),
    some.builds(rule, _groups, _ports, _sources, some.sampled_from(["tcp", "udp"])),
    some.builds(rule, _groups, some.none(), _sources, some.sampled_from([EVERY_PROTOCOL, "icmp"])),
)
_attached = some.lists(_groups, unique=True, max_size=3).map(tuple)


@some.composite
def networks(draw: some.DrawFn) -> NetworkState:
    """Give a network with any rules, any groups in use, and some groups that are not there."""
    groups = (*GROUPS, SecurityGroup(OTHER, "other", VPC))
    alb, tasks, data = draw(_attached), draw(_attached), draw(_attached)
    used = {*alb, *tasks, *data, OTHER}
    there = tuple(each for each in groups if each.id in used or draw(some.booleans()))
    ids = {each.id for each in there}
    found = dict.fromkeys([*draw(some.lists(_rules, max_size=12)), *draw(some.sets(_open))])
    return state(
        load_balancers=(balancer(security_groups=alb),) if alb else (),
        service_groups=tasks or None,
        database=database(security_groups=data) if data else None,
        groups=there,
        rules=tuple(each for each in found if each.group_id in ids),
    )


_open = some.sampled_from(OPEN)


def after(plan: Plan, before: NetworkState) -> NetworkState:
    """Give the network after a plan, as AWS would make it."""
    groups, rules = list(before.groups), list(before.rules)
    created: dict[str, str] = {}

    def id_of(group: GroupRef) -> str:
        return created[group.name] if isinstance(group, NewGroup) else group.id

    for step in plan.steps:
        match step:
            case CreateSecurityGroup():
                created[step.name] = f"sg-new-{step.name}"
                groups.append(SecurityGroup(created[step.name], step.name, step.vpc_id))
                rules.append(rule(created[step.name], None, ANYWHERE, EVERY_PROTOCOL, egress=True))
            case AuthorizeIngress():
                known = isinstance(step.source, KnownGroup | NewGroup)
                source = id_of(step.source) if known else str(step.source)  # type: ignore[arg-type]  # known
                rules.append(rule(id_of(step.group), step.port, source))
            case AuthorizeEgress():
                rules.append(rule(id_of(step.group), None, ANYWHERE, EVERY_PROTOCOL, egress=True))
            case RevokeIngress():
                rules = [each for each in rules if each.id != step.rule_id]
            case _:
                raise AssertionError(step)
    return replace(before, groups=tuple(groups), rules=tuple(rules))


@given(networks())
def test_after_a_fix_the_check_is_clean_and_nothing_is_left_to_do(network: NetworkState) -> None:
    repaired = after(plan_network(config(), network, fix=True), network)
    assert [each.what for each in check_network(config(), repaired)] == []
    assert plan_network(config(), repaired, fix=True).steps == ()


@given(networks())
def test_without_fix_nothing_is_removed_and_nothing_is_missing(network: NetworkState) -> None:
    plan = plan_network(config(), network, fix=False)
    assert not any(isinstance(each, RevokeIngress) for each in plan.steps)
    left = check_network(config(), after(plan, network))
    assert {each.kind for each in left} <= {Kind.EXTRA}


@given(networks())
def test_every_plan_adds_before_it_removes(network: NetworkState) -> None:
    kinds = [
        isinstance(each, RevokeIngress) for each in plan_network(config(), network, fix=True).steps
    ]
    assert kinds == sorted(kinds)


@given(some.lists(_rules, max_size=12))
def test_a_needed_rule_is_never_called_extra(more: list[object]) -> None:
    every = dict.fromkeys([*DOCUMENTED, *OPEN, *more])
    found = check_network(config(), state(rules=tuple(every)))
    needed = {each.id for each in (*DOCUMENTED, *OPEN)}
    assert {each.rule_id for each in found} & needed == set()


@given(networks())
def test_a_check_is_clean_exactly_where_a_fix_has_nothing_to_do(network: NetworkState) -> None:
    assert bool(check_network(config(), network)) == bool(
        plan_network(config(), network, fix=True).steps
    )
