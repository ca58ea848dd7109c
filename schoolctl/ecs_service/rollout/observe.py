"""Looks at a rollout again and again: the service each time, and what else may be read beside it.

The service decides, and is waited for. The rest (tasks, targets, ECS's own record) is asked for
beside it: what is late is taken from the next look, what may not be read is left out.
"""

from __future__ import annotations

from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from schoolctl.aws.ecs.deployments import (
    describe_service_deployments,
    list_service_deployments,
    revisions_behind,
    with_task_definitions,
)
from schoolctl.aws.ecs.services import describe_service, list_tasks
from schoolctl.aws.health import target_health
from schoolctl.aws.session.clients import answer_within
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.ecs_service.rollout.native import Told, match
from schoolctl.ecs_service.rollout.progress import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import Deployment, Task, TaskDefinitionRef
    from schoolctl.model.surroundings import TargetHealth

T = TypeVar("T")

_LATE_SECONDS = 1.0
"""How long a look waits for what stands beside the service."""
_RECORDS = 20
"""How many of the newest service deployments may be ours: a call takes so many revisions."""


class RolloutObserver:
    """Looks at one deployment of one service.

    Args:
        clients: the AWS clients.
        cluster: the service's cluster.
        service: its name.
        started: the deployment.
        note: takes what could not be read, a line each.
    """

    def __init__(
        self,
        clients: Clients,
        cluster: str,
        service: str,
        started: Deployment,
        note: Callable[[str], None],
    ) -> None:
        self._clients = clients
        self._cluster, self._name = cluster, service
        self._groups: tuple[str, ...] = ()
        self._answered = True
        nothing: tuple[Task, ...] = ()
        no_targets: tuple[TargetHealth, ...] = ()
        self._record = _Record(clients, cluster, service, started)
        self._told = _Beside(clients, self._record.read, None, note)
        self._alive = _Beside(clients, lambda: self._tasks(stopped=False), nothing, note)
        self._stopped = _Beside(clients, lambda: self._tasks(stopped=True), nothing, note)
        self._targets = _Beside(
            clients, lambda: target_health(clients, self._groups), no_targets, note
        )

    def look(self, limit_seconds: float, *, stopped: bool) -> Look:
        """Look once.

        Args:
            limit_seconds: how long to wait for the service's state.
            stopped: whether the stopped tasks are wanted, too.

        Raises:
            UnavailableError: AWS did not answer, or not in time.
            SchoolctlError: the service may not be read.
        """
        answer = self._clients.start(
            describe_service, self._clients, self._cluster, self._name, once=True
        )
        beside: list[_Beside[Any]] = [self._told, self._alive]
        if stopped:
            beside.append(self._stopped)
        if self._groups:
            beside.append(self._targets)
        if self._answered:
            # An AWS that limits the rate of calls is asked for no more than is needed.
            for each in beside:
                each.start()
        self._answered = False
        try:
            service = answer_within(answer, limit_seconds, f"look at service {self._name}")
        except NotFoundError:
            service = None  # its cluster is gone, too
        self._answered = True
        if service is not None and service.target_group_arns != self._groups:
            self._groups = service.target_group_arns
            self._targets.start()
        self._wait_for(*beside, self._targets)
        return Look(
            service,
            told=self._told.newest,
            alive=self._alive.newest,
            stopped=self._stopped.newest,
            targets=self._targets.newest,
        )

    def with_stopped(self, look: Look) -> Look:
        """Give a look with the tasks that have stopped by now, where they can be read at once."""
        self._stopped.start()
        self._wait_for(self._stopped)
        return replace(look, stopped=self._stopped.newest)

    @property
    def record_arn(self) -> str:
        """The ARN of the service deployment that is ours; empty where it is not known."""
        return self._record.arn

    def _wait_for(self, *reads: _Beside[Any]) -> None:
        under_way = [each.under_way for each in reads if each.under_way is not None]
        wait(under_way, timeout=_LATE_SECONDS)
        for each in reads:
            each.take()

    def _tasks(self, *, stopped: bool) -> tuple[Task, ...]:
        found = list_tasks(self._clients, self._cluster, service=self._name, stopped=stopped)
        return tuple(found)


class _Record:
    """Finds our service deployment among the newest, then reads it again and again."""

    def __init__(self, clients: Clients, cluster: str, service: str, started: Deployment) -> None:
        self._clients = clients
        self._cluster, self._service = cluster, service
        self._started = started
        self._unknown_here = False
        self._revisions: dict[str, TaskDefinitionRef] = {}
        self.arn = ""

    def read(self) -> Told | None:
        """Give what ECS has noted; None before it has noted anything, or where it never does."""
        if not self.arn and not self._unknown_here:
            self._find()
        if not self.arn:
            return None
        found = describe_service_deployments(self._clients, [self.arn], once=True)
        if not found:
            return None
        back = found[0].rollback_revision_arn
        if back and back not in self._revisions:
            self._revisions |= revisions_behind(self._clients, [back])
        return Told(found[0], self._revisions.get(back))

    def _find(self) -> None:
        listed = list_service_deployments(
            self._clients, self._cluster, self._service, limit=_RECORDS
        )
        if listed is None:
            self._unknown_here = True
            return
        ours = match(self._started, with_task_definitions(self._clients, listed))
        self.arn = ours.arn if ours is not None else ""


class _Beside(Generic[T]):
    """One read beside the service's; keeps the newest answer."""

    def __init__(
        self, clients: Clients, read: Callable[[], T], nothing: T, note: Callable[[str], None]
    ) -> None:
        self._clients = clients
        self._read = read
        self._note = note
        self._denied = False
        self.newest = nothing
        self.under_way: Future[T] | None = None

    def start(self) -> None:
        """Begin to read, unless that is under way, or denied."""
        if self.under_way is None and not self._denied:
            self.under_way = self._clients.start(self._read)

    def take(self) -> None:
        """Take the answer, if it is there by now."""
        if self.under_way is None or not self.under_way.done():
            return
        try:
            self.newest = self.under_way.result()
        except AccessDeniedError as error:
            self._denied = True
            self._note(f"{error.what}: {error.why}")
        except SchoolctlError as error:
            self._note(f"{error.what}: {error.why}")
        self.under_way = None
