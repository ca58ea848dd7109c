"""The network around a service, read side by side: what is named, and what is really used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from schoolctl.aws.ec2 import (
    find_security_groups,
    find_subnets,
    list_endpoints,
    list_interfaces,
    list_route_tables,
    list_rules,
    list_subnets,
)
from schoolctl.aws.ecs.services import describe_service
from schoolctl.aws.elbv2 import find_load_balancers, find_target_group
from schoolctl.aws.rds import list_databases
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, NotFoundError
from schoolctl.model.surroundings import SourceKind
from schoolctl.network.state import DEFAULT_GROUP, NetworkState, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.observe import Answer
    from schoolctl.model.services import ServiceState
    from schoolctl.model.surroundings import LoadBalancer, SecurityGroup, TargetGroup
    from schoolctl.model.values import Database

T = TypeVar("T")

_HOST_KEY = "db_host"
_ENDPOINT = "rds.endpoint"


def observe_network(
    clients: Clients, config: Config, *, decrypt: bool = True, users: bool = True
) -> NetworkState:
    """Read what the network of an environment is like.

    A read that is denied is left out, and told in `denied`; but for those of security groups
    and subnets, without which there is nothing to tell.

    Args:
        clients: the AWS clients.
        config: the configuration of the environment.
        decrypt: whether the parameter with the database's host may be decrypted. Without it, one
            that is a SecureString is `unread`, and the database is known by its group alone.
        users: whether to look who else has the security groups.

    Source: EC2 DescribeSecurityGroups, DescribeSecurityGroupRules, DescribeSubnets,
    DescribeRouteTables, DescribeVpcEndpoints, DescribeNetworkInterfaces; ECS DescribeServices;
    elasticloadbalancing DescribeTargetGroups, DescribeLoadBalancers; RDS DescribeDBInstances,
    DescribeDBClusters; SSM GetParameters.
    """
    start, spared = clients.start, _Spared()
    service_call = start(_service, clients, config)
    balancing_call = start(_balancing, clients, config)
    databases_call = start(list_databases, clients)
    host_call = start(_database_host, clients, config, decrypt=decrypt)
    network = config.network
    named = (network.alb_group, network.service_group, network.database_group)
    asked = (*named, *config.service.security_groups)
    wanted = list(dict.fromkeys((*asked, DEFAULT_GROUP)))
    groups_call = start(find_security_groups, clients, wanted)
    planned = find_subnets(clients, config.service.subnets)

    service = spared.answer(service_call, None, Reading.SERVICE)
    place = _awsvpc(service)
    subnets = _texts(place.get("subnets")) or tuple(each.id for each in planned)
    vpc = _vpc_of(clients, subnets, {each.id: each.vpc_id for each in planned})
    tables_call = start(list_route_tables, clients, vpc) if vpc else None
    endpoints_call = start(list_endpoints, clients, vpc) if vpc else None
    subnets_call = start(list_subnets, clients, vpc) if vpc else None

    seen = spared.answer(balancing_call, None, Reading.BALANCING)
    target_group, balancers = seen or (None, ())
    databases = spared.answer(databases_call, (), Reading.DATABASES)
    host, unread = spared.answer(host_call, ("", ""), Reading.HOST)
    groups = groups_call.result()
    database = _database(databases, host, network.database_group, groups)
    default = [each.id for each in groups if (each.name, each.vpc_id) == (DEFAULT_GROUP, vpc)]
    # A service that was given no group has the VPC's default one.
    used = (_texts(place.get("securityGroups")) or tuple(default)) if place else None
    ours = {
        *(used or ()),
        *(each for balancer in balancers for each in balancer.security_groups),
        *(database.security_groups if database else ()),
        *(each.id for each in groups if each.name != DEFAULT_GROUP or DEFAULT_GROUP in asked),
    }
    interfaces_call = start(list_interfaces, clients, sorted(ours)) if users else None
    rules_call = start(list_rules, clients, sorted(ours))
    endpoints = spared.answer(endpoints_call, None, Reading.ENDPOINTS) if endpoints_call else ()
    theirs = {each for found in endpoints or () for each in found.security_groups} - ours
    more_call = start(list_rules, clients, sorted(theirs))
    rules = (*rules_call.result(), *more_call.result())
    named_in_rules = {each.source.value for each in rules if each.source.kind is SourceKind.GROUP}
    unknown = sorted((ours | named_in_rules) - {each.id for each in groups})
    return NetworkState(
        region=clients.region,
        vpc_id=vpc,
        service_groups=used,
        service_subnets=subnets,
        public_ip=place.get("assignPublicIp") == "ENABLED"
        if place
        else config.service.assign_public_ip,
        target_group=target_group,
        target_group_seen=seen is not None,
        load_balancers=balancers,
        databases=databases,
        database=database,
        groups=(*groups, *find_security_groups(clients, unknown)),
        rules=rules,
        subnets=subnets_call.result() if subnets_call else (),
        route_tables=spared.answer(tables_call, None, Reading.ROUTES) if tables_call else (),
        endpoints=endpoints,
        interfaces=spared.answer(interfaces_call, None, Reading.USERS) if interfaces_call else None,
        unread=unread,
        denied=tuple(spared.denied),
    )


class _Spared:
    """Reads that may be denied, and which of them were."""

    def __init__(self) -> None:
        self.denied: list[tuple[Reading, str]] = []

    def answer(self, call: Answer[T], instead: T, what: Reading) -> T:
        """Give the answer of a call; where it is denied, `instead`."""
        try:
            return call.result()
        except AccessDeniedError as error:
            self.denied.append((what, error.action or "the read"))
            return instead


def _service(clients: Clients, config: Config) -> ServiceState | None:
    try:
        found = describe_service(clients, config.service.cluster, config.service.name)
    except NotFoundError:
        return None
    return found if found is not None and found.status == "ACTIVE" else None


def _awsvpc(service: ServiceState | None) -> Mapping[str, object]:
    """Give where a service's tasks are; empty without one."""
    network = service.settings.get("networkConfiguration") if service is not None else None
    place = network.get("awsvpcConfiguration") if isinstance(network, Mapping) else None
    return cast("Mapping[str, object]", place) if isinstance(place, Mapping) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _vpc_of(clients: Clients, subnets: Sequence[str], known: Mapping[str, str]) -> str:
    """Give the VPC of the first subnet; empty where there is none."""
    if not subnets:
        return ""
    if subnets[0] in known:
        return known[subnets[0]]
    found = find_subnets(clients, tuple(subnets))
    return found[0].vpc_id if found else ""


def _balancing(
    clients: Clients, config: Config
) -> tuple[TargetGroup | None, tuple[LoadBalancer, ...]]:
    wanted = config.service.target_group
    group = find_target_group(clients, wanted) if wanted is not None else None
    if group is None:
        return None, ()
    return group, find_load_balancers(clients, group.load_balancer_arns)


def _database_host(clients: Clients, config: Config, *, decrypt: bool) -> tuple[str, str]:
    """Give the host that the service is told, and the parameter that would have to be decrypted.

    Either may be empty: nothing tells the host, or it needs no decrypting.
    """
    key = next((key for key, each in config.parameters.items() if each.source == _ENDPOINT), None)
    if key is None and _HOST_KEY in config.parameters:
        key = _HOST_KEY
    if key is None:
        return "", ""
    name = config.parameter_name(key)
    found = get_parameters(clients, [name], decrypt=decrypt, plain=True).get(name)
    if found is None:
        return "", ""
    return (found.value.reveal().strip(), "") if found.value is not None else ("", name)


def _database(
    databases: Sequence[Database], host: str, wanted: str, groups: Sequence[SecurityGroup]
) -> Database | None:
    """Give the database with that endpoint, else the only one that has the named group."""
    for each in databases:
        if host and each.endpoint.lower() == host.lower():
            return each
    ids = {each.id for each in groups if wanted in {each.id, each.name}}
    having = [each for each in databases if ids & set(each.security_groups) and not each.cluster]
    return having[0] if len(having) == 1 else None
