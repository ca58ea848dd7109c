"""The steps that create, update or delete an environment's stack. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError
from schoolctl.base.plan import Plan
from schoolctl.base.text import count
from schoolctl.iam.policy import GITHUB
from schoolctl.images.push.rules import plan_repository
from schoolctl.infra.changes import all_new, ends_database, ends_something, tell, totals
from schoolctl.infra.operations import refuse_busy, refuse_stuck
from schoolctl.infra.steps import (
    ChangeStack,
    CreateIdentityProvider,
    DeleteDatabase,
    DeleteLogGroup,
    DeleteService,
    DeleteStack,
    LayStack,
    ProtectStack,
    UnprotectDatabase,
)
from schoolctl.model.stacks import Condition, condition_of

if TYPE_CHECKING:
    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.infra.changes import Told
    from schoolctl.model.images import Repository
    from schoolctl.model.services import ServiceState
    from schoolctl.model.stacks import ChangeSet, StackState, Template


@dataclass(frozen=True)
class Found:
    """What there is before `infra up`.

    Attributes:
        stack: None where there is none.
        repository: None where there is none.
        change_set: what an update would do; None where there is nothing to update.
        provider: whether the account knows GitHub's identity provider; None: nobody asked.
    """

    stack: StackState | None
    repository: Repository | None
    change_set: ChangeSet | None = None
    provider: bool | None = None

    @property
    def condition(self) -> Condition:
        """What can be done with the stack."""
        return condition_of(self.stack)


def refuse_move(found: Found, template: Template) -> None:
    """Refuse to put a stack that exists into another VPC: nothing in it could follow."""
    stack = found.stack
    if stack is None or found.condition is not Condition.READY:
        return
    for key in ("Vpc", "VpcCidr"):
        before, after = stack.parameters.get(key), template.parameters.get(key)
        if before != after:
            raise ConflictError(
                f"stack {stack.name} stands in another VPC than `infra.vpc` says",
                why=f"it has {before or 'one that exists'}; wanted is {after or 'one of its own'}",
                hint="take `infra.vpc` back; or lay another environment, move, and take this one"
                " away with `schoolctl infra down`",
            )


def changes_of(found: Found, template: Template) -> tuple[Told, ...]:
    """Give what would become of each resource."""
    if found.condition is Condition.READY:
        return tell(found.change_set.changes) if found.change_set is not None else ()
    return all_new(template.document["Resources"])


def plan_up(
    config: Config,
    found: Found,
    template: Template,
    *,
    timeout_seconds: float,
    delete_data: bool = False,
) -> Plan:
    """Decide the steps.

    Raises:
        BusyError: another operation is in progress.
        ConflictError: the stack is in a state that only somebody else can get it out of, or its
            database would be replaced or deleted and `delete_data` does not allow it.
    """
    stack, name = found.stack, config.stack_name
    if stack is not None and found.condition is Condition.BUSY:
        raise refuse_busy(stack)
    if stack is not None and found.condition is Condition.STUCK:
        raise refuse_stuck(stack)
    changes = changes_of(found, template)
    if ends_database(changes) and not delete_data:
        raise _database_would_go(name, changes)
    steps: list[Step] = [*plan_repository(config.image.repository, found.repository).steps]
    if found.provider is False:
        steps.append(CreateIdentityProvider(GITHUB))
    if stack is not None and found.condition is Condition.DEAD:
        steps.append(DeleteStack(name, stack.id, timeout_seconds, f"it is {stack.status}"))
    if found.condition is not Condition.READY:
        steps.append(LayStack(name, template, timeout_seconds))
    elif found.change_set is not None:
        steps.append(ChangeStack(name, found.change_set, timeout_seconds))
    is_protected = stack is not None and stack.protected and found.condition is Condition.READY
    if config.protected and not is_protected:
        steps.append(ProtectStack(name, protected=True))
    notes = [each.line() for each in changes]
    if notes:
        notes.insert(0, f"stack {name}: {totals(changes)}")
    return Plan(
        summary=f"Lay stack {name} ({totals(changes)})" if notes else f"Bring {name} up to date",
        steps=tuple(steps),
        nothing=f"nothing to do: stack {name} is as the configuration says",
        notes=tuple(notes),
        deletes=ends_something(changes),
    )


def _database_would_go(name: str, changes: tuple[Told, ...]) -> ConflictError:
    lines = [each.line().strip() for each in changes if each.data]
    return ConflictError(
        f"the database of stack {name} would not survive this",
        why="\n".join(lines),
        hint="take the change of `infra.database` back; or, if it may go, add --delete-data",
    )


# Taking it away


@dataclass(frozen=True)
class Standing:
    """What there is before `infra down`.

    Attributes:
        services: the services of the cluster.
        tasks: how many tasks run there, whoever started them.
        database_protected: whether RDS refuses to delete the database.
    """

    stack: StackState | None
    services: tuple[ServiceState, ...] = ()
    tasks: int = 0
    database_protected: bool = False


def plan_down(
    config: Config, found: Standing, *, timeout_seconds: float, delete_data: bool = False
) -> Plan:
    """Decide the steps that take a stack away.

    Raises:
        BusyError: another operation is in progress.
        ConflictError: a service or a task still runs in the cluster.
    """
    stack, name = found.stack, config.stack_name
    if stack is None:
        return Plan(summary="", steps=(), nothing=f"nothing to do: there is no stack {name}")
    if condition_of(stack) is Condition.BUSY:
        raise refuse_busy(stack)
    _refuse_running(config, found)
    steps: list[Step] = [
        DeleteService(config.service.cluster, each.name) for each in found.services
    ]
    if stack.protected:
        steps.append(ProtectStack(name, protected=False))
    database = stack.outputs.get("DatabaseInstance", "")
    if database and found.database_protected:
        steps.append(UnprotectDatabase(database))
    if database and delete_data:
        steps.append(DeleteDatabase(database, timeout_seconds))
    steps.append(DeleteStack(name, stack.id, timeout_seconds))
    if delete_data:
        steps.append(DeleteLogGroup(config.task.log_group))
    return Plan(
        summary=f"Delete stack {name} with all that stands in it.",
        steps=tuple(steps),
        notes=tuple(f"kept: {each}" for each in kept(config, database, delete_data=delete_data)),
        deletes=True,
    )


def _refuse_running(config: Config, found: Standing) -> None:
    running = [each for each in found.services if each.running or each.desired]
    cluster = config.service.cluster
    if running:
        names = ", ".join(
            f"{each.name} ({each.running} of {count(each.desired, 'task')})" for each in running
        )
        ours = any(each.name == config.service.name for each in running)
        raise ConflictError(
            f"a service runs in cluster {cluster}; nothing was changed",
            why=names,
            hint="`schoolctl scale 0`, then run this again"
            if ours
            else "stop it first: `aws ecs update-service --desired-count 0`",
        )
    if found.tasks:
        raise ConflictError(
            f"{count(found.tasks, 'task')} still running in cluster {cluster}; nothing was changed",
            why="no service has started it" if found.tasks == 1 else "no service has started them",
            hint=f"`aws ecs list-tasks --cluster {cluster}` shows what it is",
        )


def kept(config: Config, database: str, *, delete_data: bool) -> tuple[str, ...]:
    """Say what stays when the stack is gone."""
    found = [
        f"repository {config.image.repository}, which environments share",
        f"the values at /{config.app}/{config.environment}/ and the secrets of the environment",
    ]
    if not delete_data:
        found.append(f"log group {config.task.log_group}")
        if database:
            found.append(f"a last snapshot of database {database}")
    return tuple(found)
