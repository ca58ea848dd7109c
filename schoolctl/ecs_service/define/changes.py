"""What differs between two task definitions or service settings, in lines for people.

A value is shown only where it can hold no secret: a variable, a command or a label is named, and
what it says is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from schoolctl.ecs_service.define.canonical import (
    Canonical,
    canonical_definition,
    canonical_map,
    default_of,
)
from schoolctl.model.images import ImageRef

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


@dataclass(frozen=True)
class Change:
    """One thing that differs; `before` or `after` is None where that side has none of it.

    Attributes:
        path: the members that lead to it; an item of a list goes by its name.
        before: in the canonical form.
        after: likewise.
    """

    path: tuple[str, ...]
    before: Canonical | None
    after: Canonical | None

    @property
    def container(self) -> str:
        """The container that it is in; empty outside of all."""
        return self.path[1] if self.path[0] == _CONTAINERS and len(self.path) > 1 else ""

    @property
    def name(self) -> str:
        """What people call it, without its container."""
        parts = list(self.path)
        if self.container:
            parts = parts[2:]
            if not parts:
                return f"container {self.container}"
        return " ".join([_SAID.get(e, e) for e in parts if e not in _SILENT] or parts[-1:])

    @property
    def verb(self) -> str:
        """What happens to it: added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def value(self, value: Canonical | None, labels: Mapping[str, str]) -> str:
        """Say what `before` or `after` is; an image goes by its label in `labels`."""
        key = self.path[-1]
        if value is None:
            value = default_of(key)
        match value:
            case None:
                either = self.after if self.before is None else self.before
                return "no" if isinstance(either, bool) else _ABSENT
            case bool() if key == "essential":
                return "true" if value else "false"
            case bool():
                return "yes" if value else "no"
            case tuple():
                return ", ".join(map(str, value))
            case str() if key == "image":
                return labels.get(value) or _image(value)
            case _:
                return str(value)

    def line(self, labels: Mapping[str, str], *, several: bool) -> str:
        """Say it in a line that can hold no secret.

        Args:
            labels: what to call an image instead of its reference.
            several: whether there are other containers that it could be about.
        """
        is_container = self.name.startswith("container ")
        prefix = f"{self.container}: " if several and self.container and not is_container else ""
        if not _is_shown(self.path):
            verb = (
                "added" if self.before is None else "removed" if self.after is None else "changed"
            )
            return f"{prefix}{self.name} {verb}"
        old, new = self.value(self.before, labels), self.value(self.after, labels)
        return f"{prefix}{self.name} {old} -> {new}"


def same_definition(wanted: Mapping[str, object], actual: Mapping[str, object]) -> bool:
    """Say whether two task definitions mean the same to ECS.

    Args:
        wanted: a RegisterTaskDefinition request.
        actual: another, or what ECS tells of a revision.
    """
    return canonical_definition(wanted) == canonical_definition(actual)


def compare_definitions(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[Change, ...]:
    """Give what differs between two task definitions; empty where nothing does.

    Args:
        before: in the shape of RegisterTaskDefinition.
        after: likewise.
    """
    return tuple(_walk(canonical_definition(before), canonical_definition(after), ()))


def compare_settings(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[Change, ...]:
    """Give what differs between two sets of service settings."""
    return tuple(_walk(canonical_map(before), canonical_map(after), ()))


def definition_changes(
    before: Mapping[str, object],
    after: Mapping[str, object],
    *,
    labels: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Give what differs between two task definitions, a line each, without what may be secret.

    Args:
        before: in the shape of RegisterTaskDefinition.
        after: likewise.
        labels: what to call an image instead of its reference, such as `1.1`.
    """
    several = has_several_containers(before, after)
    found = compare_definitions(before, after)
    return tuple(each.line(labels or {}, several=several) for each in found)


def settings_changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Give what differs between two sets of service settings, a line each."""
    return tuple(each.line({}, several=False) for each in compare_settings(before, after))


def has_several_containers(*definitions: Mapping[str, object]) -> bool:
    """Say whether task definitions name more than one container between them."""
    names = {
        each.get("name")
        for definition in definitions
        for each in cast("Sequence[Mapping[str, object]]", definition.get(_CONTAINERS) or ())
    }
    return len(names) > 1


def _walk(
    before: Canonical | None, after: Canonical | None, path: tuple[str, ...]
) -> Iterator[Change]:
    """Walk two canonical trees side by side; gives each leaf that differs."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}, key=_order):
            yield from _walk(before.get(key), after.get(key), (*path, key))
    elif _is_group(path, before, after):
        old = before if isinstance(before, dict) else {}
        new = after if isinstance(after, dict) else {}
        yield from _walk(old, new, path)
    else:
        yield Change(path, before, after)


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
