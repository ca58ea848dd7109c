"""EC2: security groups made, rules added and taken away. What is done already is success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.ec2 import find_security_groups
from schoolctl.aws.session.errors import is_code, translated
from schoolctl.aws.session.visible import changing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

    from schoolctl.aws.session.clients import Clients

_DUPLICATE = "InvalidPermission.Duplicate"
_GONE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound")


def create_security_group(
    clients: Clients, name: str, vpc_id: str, description: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """Create a group; gives its id, and whether it was there already.

    One of that name may be there by now: made by somebody else meanwhile, or by a call of ours
    whose answer was lost.

    Source: EC2 CreateSecurityGroup; InvalidGroup.Duplicate.
    """
    doing = f"create security group {name} in {vpc_id}"
    with translated(doing):
        try:
            made = clients.ec2.create_security_group(
                GroupName=name,
                VpcId=vpc_id,
                Description=description,
                TagSpecifications=[
                    {
                        "ResourceType": "security-group",
                        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                    }
                ],
            )
        except ClientError as error:
            if not is_code(error, "InvalidGroup.Duplicate"):
                raise
            found = find_security_groups(clients, [name])
            here = [each.id for each in found if each.vpc_id == vpc_id]
            if not here:
                raise
            return here[0], True
    return made["GroupId"], False


def authorize_ingress(clients: Clients, group_id: str, port: int, source: str) -> bool:
    """Let a group, by its id, or a range in on a tcp port; gives whether the rule is new.

    Raises:
        NotVisibleYetError: a group was created a moment ago, or is not there.

    Source: EC2 AuthorizeSecurityGroupIngress; InvalidPermission.Duplicate.
    """
    rule: IpPermissionTypeDef = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    if source.startswith("sg-"):
        rule["UserIdGroupPairs"] = [{"GroupId": source}]
    elif ":" in source:
        rule["Ipv6Ranges"] = [{"CidrIpv6": source}]
    else:
        rule["IpRanges"] = [{"CidrIp": source}]
    with changing(f"allow tcp {port} from {source} in {group_id}"):
        try:
            clients.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[rule])
        except ClientError as error:
            if is_code(error, _DUPLICATE):
                return False
            raise
    return True


def authorize_egress(clients: Clients, group_id: str, cidr: str) -> bool:
    """Let whatever has a group connect to a range; gives whether the rule is new.

    Raises:
        NotVisibleYetError: the group was created a moment ago, or is not there.

    Source: EC2 AuthorizeSecurityGroupEgress; InvalidPermission.Duplicate.
    """
    with changing(f"allow all traffic out in {group_id}"):
        try:
            clients.ec2.authorize_security_group_egress(
                GroupId=group_id,
                IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": cidr}]}],
            )
        except ClientError as error:
            if is_code(error, _DUPLICATE):
                return False
            raise
    return True


def revoke_ingress(clients: Clients, group_id: str, rule_id: str) -> bool:
    """Take one rule away; gives whether it was still there.

    Source: EC2 RevokeSecurityGroupIngress; InvalidSecurityGroupRuleId.NotFound.
    """
    with translated(f"remove rule {rule_id} from {group_id}"):
        try:
            clients.ec2.revoke_security_group_ingress(
                GroupId=group_id, SecurityGroupRuleIds=[rule_id]
            )
        except ClientError as error:
            if is_code(error, *_GONE):
                return False
            raise
    return True
