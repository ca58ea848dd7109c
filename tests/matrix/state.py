"""What an account holds, in a form that is the same for every run that ended in the same state.

Ids, times, versions and revision numbers are left out, and what names the account is named alike.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from schoolctl.base.process_mark import has_ended
from schoolctl.core.lock_rules import parse_holder
from tests.worlds.account import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.matrix.world import World

State = dict[str, Any]

_SECRET_SUFFIX = re.compile(r"(:secret:[\w/+=.@-]+)-[A-Za-z0-9]{6}\b")
_RANDOM = re.compile(r"\b(subnet|vpc|sg)-[0-9a-f]{8,17}\b")
_STACK_ID = re.compile(r"(:stack/[^/\"]+/)[0-9a-f-]{36}")
_OF_ITS_OWN = {
    "taskDefinitionArn",
    "revision",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "compatibilities",
    "status",
}
# The configuration has the account's number; the other is of docker's own command.
_NOT_LEFT_BEHIND = ("schoolctl.yaml", ".buildNodeID")
_LOCKS = "/schoolctl/"


def dump(world: World) -> State:
    """Give the state of a world: all that a command may change, there and on this machine."""
    ssm = world.aws.client("ssm")
    names = [
        each["Name"]
        for page in ssm.get_paginator("describe_parameters").paginate()
        for each in page["Parameters"]
    ]
    state = {
        "parameters": {name: _parameter(ssm, name) for name in names if _LOCKS not in name},
        "locks": {name: _holder(ssm, name) for name in names if _LOCKS in name},
        "secrets": _secrets(world),
        "images": _images(world),
        "services": _services(world),
        "revisions": _revisions(world),
        "stacks": _stacks(world),
        "log_groups": sorted(
            each["logGroupName"]
            for each in world.aws.client("logs").describe_log_groups()["logGroups"]
        ),
        "security_groups": _security_groups(world),
        "home": _files(world, "home"),
        "project": _files(world, "project"),
    }
    text = json.dumps(state, sort_keys=True, default=str)
    text = text.replace(world.aws.account, "ACCOUNT").replace(world.faults.host, "REGISTRY")
    # CloudFormation tags what it makes with the id of the stack, which is new each time.
    text = _STACK_ID.sub(r"\1X", text)
    found: State = json.loads(_RANDOM.sub(r"\1-X", _SECRET_SUFFIX.sub(r"\1", text)))
    return found


def differences(expected: State, found: State, *, interrupted: bool) -> list[str]:
    """Give what differs, a line each.

    Args:
        expected: after an undisturbed run.
        found: after another one.
        interrupted: whether a run before it was cut off: then there may be one revision more that
            no service runs, and a lock of a process that has ended, which stops nobody.
    """
    if interrupted:
        locks = {name: state for name, state in found["locks"].items() if state != "ended"}
        found = {**found, "locks": locks}
    lines = [
        line
        for part in expected
        if part != "revisions"
        for line in _compare(part, expected[part], found[part])
    ]
    missing, more = list(expected["revisions"]), []
    for each in found["revisions"]:
        if each in missing:
            missing.remove(each)
        else:
            more.append(each)
    # One that was registered and never rolled out has no mark; but for that it is like another.
    unused = [each for each in more if not each["completed"]]
    if missing or len(more) > int(interrupted) or unused != more:
        lines.append(f"revisions: {more} instead of {missing}")
    return lines


def _compare(path: str, expected: Any, found: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            yield from _compare(f"{path}.{key}", expected.get(key), found.get(key))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, pair in enumerate(zip(expected, found, strict=True)):
            yield from _compare(f"{path}[{number}]", *pair)
    elif expected != found:
        yield f"{path}: {found} instead of {expected}"


def _parameter(ssm: Any, name: str) -> list[str]:
    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return [found["Type"], found["Value"]]


def _holder(ssm: Any, name: str) -> str:
    holder = parse_holder(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    return "ended" if has_ended(holder.process) else "held"


def _secrets(world: World) -> dict[str, Any]:
    client = world.aws.client("secretsmanager")
    found = {}
    for each in client.list_secrets()["SecretList"]:
        versions = client.list_secret_version_ids(SecretId=each["ARN"])["Versions"]
        current = [each for each in versions if "AWSCURRENT" in each.get("VersionStages", ())]
        found[each["Name"]] = {
            "value": client.get_secret_value(SecretId=each["ARN"])["SecretString"],
            "current": len(current),
        }
    return found


def _images(world: World) -> dict[str, Any]:
    ecr = world.aws.client("ecr")
    return {
        repository["repositoryName"]: sorted(
            [each["imageDigest"], *sorted(each.get("imageTags", ()))]
            for each in ecr.describe_images(repositoryName=repository["repositoryName"])[
                "imageDetails"
            ]
        )
        for repository in ecr.describe_repositories()["repositories"]
    }


def _stacks(world: World) -> dict[str, Any]:
    client = world.aws.client("cloudformation")
    return {
        each["StackName"]: [
            each["StackStatus"],
            sorted(
                resource["LogicalResourceId"]
                for resource in client.describe_stack_resources(StackName=each["StackName"])[
                    "StackResources"
                ]
            ),
        ]
        for each in client.describe_stacks()["Stacks"]
    }


def _services(world: World) -> list[State]:
    ecs = world.account.ecs
    arns = ecs.list_services(cluster="schoolapp")["serviceArns"]
    if not arns:
        return []
    return [
        {
            "name": each["serviceName"],
            "desired": each["desiredCount"],
            "network": each.get("networkConfiguration"),
            "definition": _content(world, each["taskDefinition"]),
            "deployments": [
                [deployment["status"], deployment.get("rolloutState")]
                for deployment in each["deployments"]
            ],
            # The emulator notes an event for each deployment that an update starts.
            "updates": len(each["events"]),
        }
        for each in ecs.describe_services(cluster="schoolapp", services=arns)["services"]
    ]


def _revisions(world: World) -> list[State]:
    arns = world.account.ecs.list_task_definitions(familyPrefix=NAME)["taskDefinitionArns"]
    return sorted(
        (
            {
                "content": _content(world, arn),
                "completed": "schoolctl:completed-at" in world.account.tags(arn),
            }
            for arn in arns
        ),
        key=json.dumps,
    )


def _content(world: World, arn: str) -> State:
    definition = world.account.definition(arn)
    return {key: value for key, value in definition.items() if key not in _OF_ITS_OWN}


def _security_groups(world: World) -> dict[str, Any]:
    """Give the rules of each group, other groups by their names."""
    ec2 = world.aws.client("ec2")
    groups = ec2.describe_security_groups()["SecurityGroups"]
    names = {each["GroupId"]: each["GroupName"] for each in groups}
    rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
    return {
        each["GroupName"]: {
            "tags": sorted((tag["Key"], tag["Value"]) for tag in each.get("Tags", ())),
            "rules": sorted(
                [
                    str(rule["IsEgress"]),
                    rule["IpProtocol"],
                    str(rule.get("FromPort")),
                    str(rule.get("ToPort")),
                    rule.get("CidrIpv4", ""),
                    names.get(rule.get("ReferencedGroupInfo", {}).get("GroupId"), ""),
                ]
                for rule in rules
                if rule["GroupId"] == each["GroupId"]
            ),
        }
        for each in groups
    }


def _files(world: World, folder: str) -> dict[str, str]:
    root = world.folder / folder
    return {
        str(path.relative_to(root)): path.read_text(errors="replace")
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in _NOT_LEFT_BEHIND
    }
