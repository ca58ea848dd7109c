"""What an environment takes from its stack: the ids that nobody writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import MissingThingsError, NotFoundError
from schoolctl.infra.operations import Condition, condition_of
from schoolctl.infra.template import managed_secrets

if TYPE_CHECKING:
    from collections.abc import Collection

    from schoolctl.config.models import Config
    from schoolctl.model.stacks import StackState

_SERVICE = {
    "subnets": "Subnets",
    "security_groups": "ServiceGroup",
    "target_group": "TargetGroup",
}
"""The keys of `service` and the outputs that they are."""


def settled(config: Config, stack: StackState | None, from_stack: Collection[str]) -> Config:
    """Give the configuration with the stack's ids in the place of the names they are known by.

    Args:
        config: the environment.
        stack: its stack, as it is.
        from_stack: the dotted paths of the values that schoolctl.yaml leaves to the stack.

    Raises:
        NotFoundError: there is no stack, or none that has been made.
        MissingThingsError: it is older than what the configuration wants of it.
    """
    if stack is None or condition_of(stack) in {Condition.ABSENT, Condition.DEAD}:
        raise NotFoundError(
            f"stack {config.stack_name} is not there, and environment {config.environment} takes"
            " its network from it",
            why=f"`infra.stack` is true; the stack is {stack.status if stack else 'not made yet'}",
            hint="`schoolctl infra up` lays it",
        )
    wanted = {
        key: output for key, output in _SERVICE.items() if _left(f"service.{key}", from_stack)
    }
    secrets = managed_secrets(config)
    needed = [*wanted.values(), *(["DatabaseSecret"] if secrets else [])]
    missing = [each for each in needed if each not in stack.outputs]
    if missing:
        raise MissingThingsError(
            f"stack {stack.name} is behind the configuration ({stack.status})",
            [f"it has no output {each}" for each in missing],
            hint="`schoolctl infra plan` shows the difference, `schoolctl infra up` makes it good",
        )
    service = {key: _value(key, stack.outputs[output]) for key, output in wanted.items()}
    found: dict[str, Any] = {"service": config.service.model_copy(update=service)}
    if secrets:
        arn = {"arn": stack.outputs["DatabaseSecret"]}
        found["secrets"] = {
            key: each.model_copy(update=arn) if key in secrets else each
            for key, each in config.secrets.items()
        }
    return config.model_copy(update=found)


def _left(path: str, from_stack: Collection[str]) -> bool:
    return any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in from_stack)


def _value(key: str, output: str) -> object:
    return output if key == "target_group" else tuple(output.split(","))
