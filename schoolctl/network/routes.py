"""The findings of the ways out: whether tasks reach ECR, SSM, Secrets Manager and Logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.text import count
from schoolctl.model.surroundings import ANYWHERE
from schoolctl.network.group_rules import covers_port
from schoolctl.network.state import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import Endpoint, LoadBalancer, RouteTable, SubnetPlace
    from schoolctl.network.state import NetworkState, Part

_HTTPS = 443
_UP = {"available", ""}
_GATEWAY = "igw-"
_LEADS_OUT = "public"


@dataclass(frozen=True)
class _Api:
    """An API of AWS that tasks call, by the end of its endpoint's name."""

    suffix: str
    name: str
    use: str


_S3 = _Api("s3", "S3", "the layers of the image")
_APIS = (
    _Api("ecr.api", "ECR", "the login for the image"),
    _Api("ecr.dkr", "ECR's registry", "the image"),
    _S3,
    _Api("logs", "CloudWatch Logs", "the log"),
)
_SSM = _Api("ssm", "SSM", "the parameters")
_SECRETS = _Api("secretsmanager", "Secrets Manager", "the secrets")


def route_findings(config: Config, state: NetworkState, service: Part) -> Iterator[Finding]:
    """Find subnets whose tasks do not reach an API, and endpoints that do not let them in.

    A subnet with a way to the internet (NAT, or a public address and an internet gateway) needs no
    endpoint. An endpoint with a private name is what the name leads to, wherever else routes go:
    it has to let the tasks in.
    """
    if state.route_tables is None or state.endpoints is None:
        return
    wanted = _needed(config)
    refused: dict[str, tuple[Endpoint, list[SubnetPlace]]] = {}
    closed: dict[_Closed, list[SubnetPlace]] = {}
    for subnet in (each for each in state.subnets if each.id in state.service_subnets):
        table = route_table(state.route_tables, subnet.id)
        way = _way_out(table, public_ip=state.public_ip)
        lacking = []
        for api in wanted:
            endpoint = _endpoint(state.endpoints, api, state.region, table)
            if endpoint is None:
                lacking.append(api)
            elif not _lets_in(endpoint, state, service, subnet):
                refused.setdefault(endpoint.id, (endpoint, []))[1].append(subnet)
        if lacking and way != _LEADS_OUT:
            key = _Closed(table.id if table is not None else "", way, tuple(lacking))
            closed.setdefault(key, []).append(subnet)
    for found, subnets in closed.items():
        yield _no_way(found, subnets, state)
    for endpoint, subnets in refused.values():
        yield _refusing(endpoint, subnets, service)


@dataclass(frozen=True)
class _Closed:
    """Why nothing leads out of some subnets, and which APIs are not reached for it."""

    table: str
    way: str
    lacking: tuple[_Api, ...]


def entry_findings(state: NetworkState) -> Iterator[Finding]:
    """Find subnets of an internet-facing load balancer that the internet does not reach."""
    if state.route_tables is None:
        return
    for balancer in state.load_balancers:
        if balancer.scheme != "internet-facing":
            continue
        for subnet in (each.id for each in state.subnets if each.id in balancer.subnets):
            table = route_table(state.route_tables, subnet)
            if not _has_gateway(table):
                yield _closed_entry(balancer, subnet, table)


def _has_gateway(table: RouteTable | None) -> bool:
    return table is not None and any(
        each.destination == ANYWHERE and each.target.startswith(_GATEWAY) and each.is_active
        for each in table.routes
    )


def _closed_entry(balancer: LoadBalancer, subnet: str, table: RouteTable | None) -> Finding:
    named = table.id if table is not None else "TABLE"
    return Finding(
        Kind.ROUTE,
        f"load balancer {balancer.name} faces the internet, and its subnet {subnet} has no route"
        " to an internet gateway",
        f"{subnet}, {named}",
        "requests that come to its address there are never answered",
        (
            (
                f"aws ec2 create-route --route-table-id {named} --destination-cidr-block {ANYWHERE}"
                " --gateway-id IGW"
            ),
            "or give it public subnets: `aws elbv2 set-subnets`",
        ),
    )


def _needed(config: Config) -> tuple[_Api, ...]:
    return (
        *_APIS,
        *((_SSM,) if config.parameters else ()),
        *((_SECRETS,) if config.secrets else ()),
    )


def route_table(tables: Sequence[RouteTable], subnet_id: str) -> RouteTable | None:
    """Give the table that a subnet has: its own, else the main one."""
    own = (each for each in tables if subnet_id in each.subnets)
    return next(own, next((each for each in tables if each.is_main), None))


def _way_out(table: RouteTable | None, *, public_ip: bool) -> str:
    """Give `_LEADS_OUT`, or say why nothing leads out."""
    default = (
        next((each for each in table.routes if each.destination == ANYWHERE), None)
        if table is not None
        else None
    )
    if default is None:
        return "there is no route to the internet"
    if not default.is_active:
        return f"the route to {default.target or 'the internet'} leads to something that is gone"
    if default.target.startswith(_GATEWAY) and not public_ip:
        return f"the route leads to {default.target}, and they have no public address"
    # A transit gateway, a firewall or an instance: where they lead to stands elsewhere.
    return _LEADS_OUT


def _endpoint(
    endpoints: Sequence[Endpoint], api: _Api, region: str, table: RouteTable | None
) -> Endpoint | None:
    """Give the endpoint that the API's own name leads to from a subnet; None without one."""
    end = f".{region}.{api.suffix}"
    for each in endpoints:
        if not each.service.endswith(end) or each.state not in _UP:
            continue
        if each.type == "Gateway":
            if table is not None and _is_under(each, table):
                return each
        elif each.private_dns:
            return each
    return None


def _is_under(endpoint: Endpoint, table: RouteTable) -> bool:
    through = any(each.target == endpoint.id and each.is_active for each in table.routes)
    return through or table.id in endpoint.route_tables


def _lets_in(endpoint: Endpoint, state: NetworkState, service: Part, subnet: SubnetPlace) -> bool:
    if endpoint.type == "Gateway" or not endpoint.security_groups:
        return True
    rules = state.rules_of(endpoint.security_groups)
    return covers_port(rules, _HTTPS, service.ids, subnet.cidr)


def _no_way(found: _Closed, subnets: Sequence[SubnetPlace], state: NetworkState) -> Finding:
    names = ", ".join(each.name for each in found.lacking)
    uses = dict.fromkeys(each.use for each in found.lacking)
    where = ", ".join(f"{each.id} ({each.zone})" for each in subnets)
    return Finding(
        Kind.ROUTE,
        f"tasks in {count(len(subnets), 'subnet')} do not reach {names}: {found.way}",
        f"{where}; {found.table or 'no route table'}",
        f"a task does not get {', '.join(uses)}, and stops with a time-out",
        _cures(found, subnets, state),
    )


def _cures(found: _Closed, subnets: Sequence[SubnetPlace], state: NetworkState) -> tuple[str, ...]:
    region = state.region
    if _GATEWAY in found.way:
        return (
            "set service.assign_public_ip to true, then `schoolctl deploy`",
            "or give the subnets a NAT gateway in place of the internet gateway",
        )
    table = found.table or "TABLE"
    verb = "replace" if "gone" in found.way else "create"
    route = f"aws ec2 {verb}-route --route-table-id {table}"
    # Where tasks have public addresses, nothing else is needed; a NAT gateway costs, and is not
    # what a load balancer in the same subnets can do with.
    leading = "--gateway-id IGW" if state.public_ip else "--nat-gateway-id NAT"
    lines = [f"{route} --destination-cidr-block {ANYWHERE} {leading}"]
    lines.append("or, without the internet, an endpoint for each:")
    prefix = "cn.com.amazonaws" if region.startswith("cn-") else "com.amazonaws"
    ids = " ".join(each.id for each in subnets)
    for api in found.lacking:
        start = (
            f"aws ec2 create-vpc-endpoint --vpc-id {subnets[0].vpc_id}"
            f" --service-name {prefix}.{region}.{api.suffix}"
        )
        lines.append(
            f"{start} --vpc-endpoint-type Gateway --route-table-ids {table}"
            if api is _S3
            else f"{start} --vpc-endpoint-type Interface --private-dns-enabled"
            f" --subnet-ids {ids} --security-group-ids GROUP"
        )
    return tuple(lines)


def _refusing(endpoint: Endpoint, subnets: Sequence[SubnetPlace], service: Part) -> Finding:
    group = endpoint.security_groups[0]
    name = endpoint.service.rpartition("amazonaws.")[2]
    source = f"--source-group {service.main.id}" if service.main else f"--cidr {subnets[0].cidr}"
    return Finding(
        Kind.ROUTE,
        f"endpoint {endpoint.id} ({name}) does not let the tasks in on port {_HTTPS}",
        ", ".join(endpoint.security_groups),
        "its private name leads there from every subnet of the VPC, so that tasks time out",
        (
            (
                f"aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp"
                f" --port {_HTTPS} {source}"
            ),
        ),
        group_id=group,
    )
