"""The VPC that a stack is put into, and its subnets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import MissingThingsError
from schoolctl.config.infra import NewVpcConfig
from schoolctl.infra.template import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ec2.type_defs import FilterTypeDef, SubnetTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config

_ZONES = 2


def find_place(clients: Clients, config: Config) -> Place:
    """Give where a stack goes: nothing where it makes a VPC of its own.

    Of a VPC that exists, the subnets that the configuration names, else those whose machines get a
    public address.

    Raises:
        MissingThingsError: there is no such VPC, or it has no subnets in two zones.

    Source: EC2 DescribeSubnets, all pages; a subnet tells its VPC.
    """
    infra = config.infra
    if isinstance(infra.vpc, NewVpcConfig):
        return Place()
    filters: list[FilterTypeDef]
    if infra.subnets:
        filters = [{"Name": "subnet-id", "Values": list(infra.subnets)}]
    elif infra.vpc == "default":
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
    else:
        filters = [{"Name": "vpc-id", "Values": [infra.vpc]}]
    pages = clients.ec2.get_paginator("describe_subnets")
    with translated("look for the subnets"):
        found = [each for page in pages.paginate(Filters=filters) for each in page["Subnets"]]
    chosen = found if infra.subnets else [each for each in found if each.get("MapPublicIpOnLaunch")]
    missing = _missing(config, found, chosen)
    if missing:
        raise MissingThingsError(
            f"stack {config.stack_name} cannot be put into VPC {infra.vpc}",
            missing,
            hint="name subnets of two zones in `infra.subnets`, or let the stack make a VPC:"
            " `infra: {vpc: {cidr: 10.20.0.0/16}}`",
        )
    ids = sorted(each.get("SubnetId", "") for each in chosen)
    return Place(chosen[0].get("VpcId", ""), tuple(ids))


def _missing(
    config: Config, found: Sequence[SubnetTypeDef], chosen: Sequence[SubnetTypeDef]
) -> list[str]:
    infra = config.infra
    there: set[str] = {_text(each, "SubnetId") for each in found}
    gone = [f"there is no subnet {each}" for each in infra.subnets if each not in there]
    vpcs = {_text(each, "VpcId") for each in chosen}
    zones = {_text(each, "AvailabilityZone") for each in chosen}
    if gone:
        return gone
    if len(vpcs) > 1:
        return [f"the subnets are of several VPCs: {', '.join(sorted(vpcs))}"]
    if vpcs and infra.vpc not in {"default", *vpcs}:
        return [f"the subnets are of VPC {min(vpcs)}"]
    if not found:
        return ["there is no such VPC here, or it has no subnets"]
    if len(zones) < _ZONES:
        kind = "subnets" if infra.subnets else "public subnets"
        return [f"a load balancer needs {kind} in two zones; there are {len(zones)}"]
    return []


def _text(of: Mapping[str, object], key: str) -> str:
    return str(of.get(key, ""))
