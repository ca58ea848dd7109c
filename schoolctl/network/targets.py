"""The findings of the target group and its load balancer: type, port, health check, zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.network.state import Finding, Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import LoadBalancer, TargetGroup
    from schoolctl.network.state import NetworkState

_TRAFFIC_PORT = "traffic-port"


def target_findings(config: Config, state: NetworkState) -> Iterator[Finding]:
    """Find what is wrong with the target group and the load balancer before it."""
    wanted, found = config.service.target_group, state.target_group
    if wanted is None or not state.target_group_seen:
        return
    if found is None:
        yield Finding(
            Kind.MISSING,
            f"there is no target group {wanted}",
            state.vpc_id or "any VPC",
            "the load balancer has nowhere to send requests to",
            (_create(config, wanted.rpartition("/")[2], state.vpc_id), _listener("TARGET_GROUP")),
        )
        return
    yield from _settings(config, state, found)
    yield from _health_check(config, found)
    if not found.load_balancer_arns:
        yield Finding(
            Kind.MISSING,
            f"no listener forwards to target group {found.name}",
            found.arn,
            "nobody is served",
            (_listener(found.arn),),
        )
    yield from balancer_findings(state)
    yield from balancer_zone_findings(state)


def balancer_findings(state: NetworkState) -> Iterator[Finding]:
    """Find load balancers that do not serve the internet from the service's VPC."""
    for each in state.load_balancers:
        yield from _balancer(state, each)


def balancer_zone_findings(state: NetworkState) -> Iterator[Finding]:
    """Find load balancers of the service's VPC that lack zones."""
    for each in state.load_balancers:
        if not _is_elsewhere(each, state):
            yield from _zones(state, each)


def _is_elsewhere(found: LoadBalancer, state: NetworkState) -> bool:
    return bool(state.vpc_id and found.vpc_id) and found.vpc_id != state.vpc_id


def _create(config: Config, name: str, vpc: str) -> str:
    return (
        f"aws elbv2 create-target-group --name {name} --protocol HTTP --port {config.task.port}"
        f" --target-type ip --vpc-id {vpc or 'VPC'} --health-check-path {config.task.health_path}"
    )


def _listener(arn: str) -> str:
    return (
        "aws elbv2 create-listener --load-balancer-arn ARN --protocol HTTP --port 80"
        f" --default-actions Type=forward,TargetGroupArn={arn}"
    )


def _settings(config: Config, state: NetworkState, found: TargetGroup) -> Iterator[Finding]:
    """Find what cannot be changed on a target group: another one has to take its place."""
    port = config.task.port
    anew = (
        _create(config, f"{found.name[:28]}-new", state.vpc_id or found.vpc_id),
        (
            "let the listener forward to the new one: `aws elbv2 modify-listener`; name it in"
            " service.target_group; `schoolctl deploy`"
        ),
    )
    if found.target_type != config.launch.target_type:
        yield Finding(
            Kind.WRONG,
            f"target group {found.name} has targets of type `{found.target_type}`,"
            f" not `{config.launch.target_type}`",
            found.arn,
            f"tasks on {config.launch.name} are reached by address: ECS cannot register them there",
            anew,
        )
    if found.port is not None and found.port != port:
        yield Finding(
            Kind.WRONG,
            f"target group {found.name} is for port {found.port}, not {port}",
            found.arn,
            f"ECS registers each task with port {port} itself; whatever is registered otherwise"
            " gets the wrong one",
            anew,
            severity=Severity.WARN,
        )
    if speaks_otherwise(found):
        yield Finding(
            Kind.WRONG,
            speaks_otherwise(found),
            found.arn,
            "the service speaks plain HTTP behind the load balancer: every request fails",
            anew,
        )
    if state.vpc_id and found.vpc_id and found.vpc_id != state.vpc_id:
        yield Finding(
            Kind.WRONG,
            f"target group {found.name} is in {found.vpc_id}, the service in {state.vpc_id}",
            found.arn,
            "ECS refuses a target group of another VPC than that of the subnets",
            anew,
        )


def speaks_otherwise(found: TargetGroup) -> str:
    """Say that the service does not understand a target group; empty where it does."""
    if found.protocol in {"", "HTTP"}:
        return ""
    return f"target group {found.name} speaks {found.protocol}, not HTTP"


def _health_check(config: Config, found: TargetGroup) -> Iterator[Finding]:
    change = f"aws elbv2 modify-target-group --target-group-arn {found.arn}"
    wanted = config.task.health_path
    if found.health_path != wanted:
        yield Finding(
            Kind.WRONG,
            f"target group {found.name} asks for {found.health_path or 'nothing'}, not {wanted}",
            found.arn,
            "what is not the health check may fail, or be well, when the service is not",
            (f"{change} --health-check-path {wanted}",),
        )
    port = str(config.task.port)
    if found.health_port not in {"", _TRAFFIC_PORT, port}:
        yield Finding(
            Kind.WRONG,
            f"target group {found.name} checks port {found.health_port}, not {port}",
            found.arn,
            "nothing answers there, so that no task is ever healthy",
            (f"{change} --health-check-port {_TRAFFIC_PORT}",),
        )


def _balancer(state: NetworkState, found: LoadBalancer) -> Iterator[Finding]:
    if _is_elsewhere(found, state):
        yield Finding(
            Kind.WRONG,
            f"load balancer {found.name} is in {found.vpc_id}, the service in {state.vpc_id}",
            found.arn,
            "a load balancer sends requests to its own VPC",
            (f"make a load balancer in {state.vpc_id}, or choose subnets in {found.vpc_id}",),
        )
        return
    if found.type not in {"", "application"}:
        yield Finding(
            Kind.WRONG,
            f"load balancer {found.name} is of type {found.type}, not application",
            found.arn,
            "it speaks no HTTP: it sees neither paths nor errors, and cannot redirect to HTTPS",
            ("make one with `--type application`: the type cannot be changed",),
            severity=Severity.WARN,
        )
    if found.scheme == "internal":
        yield Finding(
            Kind.WRONG,
            f"load balancer {found.name} is internal",
            found.arn,
            "nobody outside of the VPC reaches it, whatever its security group lets in",
            ("make one with `--scheme internet-facing`: the scheme cannot be changed",),
            severity=Severity.WARN,
        )


def _zones(state: NetworkState, found: LoadBalancer) -> Iterator[Finding]:
    zone_of = {each.id: each.zone for each in state.subnets}
    # What the subnets say counts: they are asked for in any case.
    theirs = {zone_of.get(subnet, zone) for subnet, zone in zip(found.subnets, found.zones)}  # noqa: B905  # both are of one list
    used = {zone_of[each]: each for each in state.service_subnets if each in zone_of}
    change = f"aws elbv2 set-subnets --load-balancer-arn {found.arn} --subnets"
    if len(theirs) == 1:
        other = next((each for zone, each in used.items() if zone not in theirs), "SUBNET")
        yield Finding(
            Kind.ZONE,
            f"load balancer {found.name} is in one zone alone: {min(theirs)}",
            found.arn,
            "when that zone fails, nobody is served",
            (f"{change} {' '.join((*found.subnets, other))}",),
        )
    elif theirs and (outside := {z: s for z, s in used.items() if z not in theirs}):
        yield Finding(
            Kind.ZONE,
            f"tasks may run in {', '.join(sorted(outside))}, where load balancer {found.name}"
            " is not",
            ", ".join(sorted(outside.values())),
            "a target in a zone that the load balancer does not have gets no requests",
            (f"{change} {' '.join((*found.subnets, *sorted(outside.values())))}",),
        )


def zone_findings(state: NetworkState) -> Iterator[Finding]:
    """Find a service whose tasks are all in one zone."""
    zone_of = {each.id: each.zone for each in state.subnets}
    zones = {zone_of[each] for each in state.service_subnets if each in zone_of}
    if len(zones) == 1:
        yield Finding(
            Kind.ZONE,
            f"every task runs in one zone, {min(zones)}",
            ", ".join(state.service_subnets),
            "when that zone fails, the service is down",
            ("name a subnet of another zone in service.subnets, then `schoolctl deploy`",),
            severity=Severity.WARN,
        )
