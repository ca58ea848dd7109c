"""What differs between two task definitions or service settings, in lines for people.

A value is shown only where it can hold no secret: a variable, a command or a label is named, and
what it says is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.model import ImageRef
from schoolctl.plan.canonical import Canonical, canonical_definition, canonical_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SHOWN = frozenset(
    {
        "assignPublicIp",
        "availabilityZoneRebalancing",
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "containerPort",
        "cpu",
        "cpuArchitecture",
        "desiredCount",
        "enable",
        "enableECSManagedTags",
        "enableExecuteCommand",
        "essential",
        "executionRoleArn",
        "healthCheckGracePeriodSeconds",
        "hostPort",
        "image",
        "logDriver",
        "maximumPercent",
        "memory",
        "memoryReservation",
        "minimumHealthyPercent",
        "networkMode",
        "operatingSystemFamily",
        "platformVersion",
        "propagateTags",
        "protocol",
        "readonlyRootFilesystem",
        "rollback",
        "securityGroups",
        "sizeInGiB",
        "stopTimeout",
        "subnets",
        "targetGroupArn",
        "taskRoleArn",
        "user",
        "valueFrom",
    }
)
"""The members whose values are shown: none of them holds what somebody may keep secret."""
# Names of containers stand under this member, and are said first.
_CONTAINERS = "containerDefinitions"
# These say nothing that the member under them does not say.
_SILENT = {
    "awsvpcConfiguration",
    "deploymentConfiguration",
    "logConfiguration",
    "networkConfiguration",
    "portMappings",
    "runtimePlatform",
    "value",
}
# Members whose parts are told one by one where one side has none of them.
_GROUPS = _SILENT | {
    _CONTAINERS,
    "deploymentCircuitBreaker",
    "environment",
    "options",
    "secrets",
}
_SAID = {"options": "log option"}
# What is said under these is the user's own, and may be a key or a password.
_OPAQUE = {"dockerLabels", "environment", "driverOpts", "labels", "options", "properties"}
_ABSENT = "none"


def same_definition(wanted: Mapping[str, object], actual: Mapping[str, object]) -> bool:
    """Say whether two task definitions mean the same to ECS.

    Args:
        wanted: a RegisterTaskDefinition request.
        actual: another, or what ECS tells of a revision.
    """
    return canonical_definition(wanted) == canonical_definition(actual)


def definition_changes(
    before: Mapping[str, object],
    after: Mapping[str, object],
    *,
    labels: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Give what differs between two task definitions, a line each; empty where nothing does.

    Args:
        before: in the shape of RegisterTaskDefinition.
        after: likewise.
        labels: what to call an image instead of its reference, such as `1.1`.
    """
    old, new = canonical_definition(before), canonical_definition(after)
    containers = {*_named(old.get(_CONTAINERS)), *_named(new.get(_CONTAINERS))}
    writer = _Writer(labels or {}, several=len(containers) > 1)
    return tuple(writer.lines(old, new, ()))


def settings_changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Give what differs between two sets of service settings, a line each."""
    return tuple(_Writer({}, several=False).lines(canonical_map(before), canonical_map(after), ()))


def _named(value: Canonical | None) -> list[str]:
    return list(value) if isinstance(value, dict) else []


class _Writer:
    """Walks two canonical trees side by side."""

    def __init__(self, labels: Mapping[str, str], *, several: bool) -> None:
        self._labels = labels
        self._several = several

    def lines(
        self, before: Canonical | None, after: Canonical | None, path: tuple[str, ...]
    ) -> Iterator[str]:
        """Give a line for each leaf that differs."""
        if before == after:
            return
        if isinstance(before, dict) and isinstance(after, dict):
            for key in sorted({*before, *after}, key=_order):
                yield from self.lines(before.get(key), after.get(key), (*path, key))
        elif _is_group(path, before, after):
            both = (
                before if isinstance(before, dict) else {},
                after if isinstance(after, dict) else {},
            )
            yield from self.lines(*both, path)
        else:
            yield self._line(before, after, path)

    def _line(self, before: Canonical | None, after: Canonical | None, path: Sequence[str]) -> str:
        name = self._name(path)
        if not _is_shown(path):
            verb = "added" if before is None else "removed" if after is None else "changed"
            return f"{name} {verb}"
        old, new = self._text(path, before, after), self._text(path, after, before)
        return f"{name} {old} -> {new}"

    def _name(self, path: Sequence[str]) -> str:
        parts = list(path)
        prefix = ""
        if parts[0] == _CONTAINERS:
            if len(parts) == 2:  # noqa: PLR2004  # the member and a container's name
                return f"container {parts[1]}"
            prefix = f"{parts[1]}: " if self._several else ""
            parts = parts[2:]
        said = [_SAID.get(each, each) for each in parts if each not in _SILENT] or parts[-1:]
        return prefix + " ".join(said)

    def _text(self, path: Sequence[str], value: Canonical | None, other: Canonical | None) -> str:
        match value:
            case None if isinstance(other, bool):
                return "no"
            case None:
                return "true" if path[-1] == "essential" else _ABSENT
            case bool():
                return "yes" if value else "no"
            case tuple():
                return ", ".join(map(str, value))
            case str() if path[-1] == "image":
                return self._labels.get(value) or _image(value)
            case _:
                return str(value)


def _is_group(path: Sequence[str], before: Canonical | None, after: Canonical | None) -> bool:
    """Say whether one side has nothing, and the other a group whose own name says little."""
    one = before if after is None else after if before is None else None
    return isinstance(one, dict) and bool(path) and path[-1] in _GROUPS


def _is_shown(path: Sequence[str]) -> bool:
    if _OPAQUE.intersection(path[:-1]) and not path[-1].startswith("awslogs-"):
        return False
    is_container = len(path) == 2 and path[0] == _CONTAINERS  # noqa: PLR2004  # member and name
    return path[-1] in _SHOWN and not is_container


def _image(text: str) -> str:
    """Give an image as short as it stays clear: its tag, or the first digits of its digest."""
    reference = ImageRef.parse(text)
    if reference is None:
        return text
    if reference.digest is not None:
        return reference.digest.short
    return reference.tag or text


def _order(key: str) -> tuple[int, str]:
    # What is deployed comes first.
    return (0 if key == _CONTAINERS else 1 if key == "image" else 2, key)
