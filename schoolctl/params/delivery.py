"""How a container gets a parameter or secret: the value itself, or the name to read it by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Delivery(StrEnum):
    """How a container gets a value."""

    INJECTED = "injected"
    """ECS reads the value when it starts the container, and puts it into a variable (`secrets`)."""
    BY_NAME = "by name"
    """A variable has the name or ARN, and the container reads the value by itself."""


def delivery_of(definition: Mapping[str, object], *names: str) -> Delivery | None:
    """Say how the containers of a task definition get a value; None where none of them does.

    Args:
        definition: in the shape of RegisterTaskDefinition.
        names: the parameter's or secret's name and ARN.

    Source: ECS ContainerDefinition; a secret's `valueFrom` may go on with a field and a version.
    """
    wanted = {each for each in names if each}
    for _, source in _pairs(definition, "secrets", "valueFrom"):
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX[:field:stage:version]
        arn = ":".join(source.split(":")[:7]) if ":secret:" in source else source
        plain = source.partition(":parameter")[2] if ":parameter/" in source else source
        if wanted & {source, arn, plain}:
            return Delivery.INJECTED
    if any(value in wanted for _, value in _pairs(definition, "environment", "value")):
        return Delivery.BY_NAME
    return None


def _pairs(definition: Mapping[str, object], key: str, value: str) -> Iterator[tuple[str, str]]:
    containers = definition.get("containerDefinitions")
    for container in containers if isinstance(containers, list | tuple) else ():
        listed = container.get(key) if isinstance(container, Mapping) else None
        for each in listed if isinstance(listed, list | tuple) else ():
            if isinstance(each, Mapping):
                yield str(each.get("name", "")), str(each.get(value, ""))
