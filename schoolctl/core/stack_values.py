"""Ids that an environment takes from its CloudFormation stack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schoolctl.aws.cloudformation import find_stack
from schoolctl.base.errors import MissingThingsError, NotFoundError
from schoolctl.config.models import managed_secrets
from schoolctl.config.tree import Layer
from schoolctl.model.stacks import Condition, condition_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from schoolctl.config.file import ResolvedConfig
    from schoolctl.config.models import Config
    from schoolctl.core.run import Run
    from schoolctl.model.stacks import StackState


class StackValues:
    """What is asked of the stack when this is made, and put into the run's configuration later."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stack: Future[StackState | None] | None = None
        if run.config.infra.stack:
            clients = run.clients
            self._stack = clients.start(find_stack, clients, run.config.stack_name)

    def settle(self) -> StackState | None:
        """Put the stack's ids into the run's configuration; None where it has no stack.

        Raises:
            NotFoundError: the stack is not there.
        """
        if self._stack is None:
            return None

        run, stack = self._run, self._stack.result()
        resolved = run.resolved
        left = left_to_stack(resolved)
        run.settle(replace(resolved, config=settled(resolved.config, stack, left)))
        return stack


def left_to_stack(resolved: ResolvedConfig) -> frozenset[str]:
    """Give the dotted paths of the values that schoolctl.yaml leaves to the stack."""
    found = resolved.origins.items()
    return frozenset(path for path, origin in found if origin.layer is Layer.STACK)


def settle(run: Run) -> StackState | None:
    """Ask the stack and put its ids into the run's configuration, for commands that begin so."""
    return StackValues(run).settle()


def settle_secrets(run: Run) -> StackState | None:
    """Ask the stack where its database keeps a secret of the environment; else ask nothing."""
    infra = run.config.infra
    return settle(run) if infra.stack and infra.database else None


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
