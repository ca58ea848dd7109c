"""The ids that an environment takes from its stack: one call, beside the first others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from schoolctl.config.file import ResolvedConfig
    from schoolctl.core.run import Run
    from schoolctl.model.stacks import StackState
    from schoolctl.model.values import SecretValue
    from schoolctl.params.rules import Entry


class StackValues:
    """What is asked of the stack when this is made, and put into the run's configuration later."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stack: Future[StackState | None] | None = None
        if run.config.infra.stack:
            from schoolctl.aws.cloudformation import find_stack

            clients = run.clients
            self._stack = clients.start(find_stack, clients, run.config.stack_name)

    def settle(self) -> StackState | None:
        """Put the stack's ids into the run's configuration; None where it has no stack.

        Raises:
            NotFoundError: the stack is not there.
        """
        if self._stack is None:
            return None
        from schoolctl.infra.outputs import settled

        run, stack = self._run, self._stack.result()
        resolved = run.resolved
        left = left_to_stack(resolved)
        run.settle(replace(resolved, config=settled(resolved.config, stack, left)))
        return stack


def left_to_stack(resolved: ResolvedConfig) -> frozenset[str]:
    """Give the dotted paths of the values that schoolctl.yaml leaves to the stack."""
    from schoolctl.config.tree import Layer

    found = resolved.origins.items()
    return frozenset(path for path, origin in found if origin.layer is Layer.STACK)


def settle(run: Run) -> StackState | None:
    """Ask the stack and put its ids into the run's configuration, for commands that begin so."""
    return StackValues(run).settle()


def settle_secrets(run: Run) -> StackState | None:
    """Ask the stack where its database keeps a secret of the environment; else ask nothing."""
    infra = run.config.infra
    return settle(run) if infra.stack and infra.database else None


def values_from_stack(
    run: Run, stack: StackState | None, entries: Sequence[Entry]
) -> dict[Entry, SecretValue]:
    """Give the values of `entries` that the stack's database tells, such as its endpoint."""
    instance = stack.outputs.get("DatabaseInstance") if stack is not None else None
    wanted = [each for each in entries if each.source is not None]
    if instance is None or not wanted:
        return {}
    from schoolctl.aws.rds import find_database
    from schoolctl.params.sources import values_of

    return dict(values_of(find_database(run.clients, instance), wanted).values)
