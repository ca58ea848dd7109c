"""Observations of a rollout under way, and of the revision that a rollback goes to.

The service decides, and is waited for. The rest (tasks, targets, ECS's own record) is asked for
beside it: what is late is taken from the next look, what may not be read is left out.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from schoolctl.aws.ecr import find_repository
from schoolctl.aws.ecs.deployments import (
    describe_service_deployments,
    list_service_deployments,
    revisions_behind,
    with_task_definitions,
)
from schoolctl.aws.ecs.services import (
    describe_revisions,
    describe_service,
    list_revisions,
    list_tasks,
)
from schoolctl.aws.elbv2 import target_health
from schoolctl.aws.session.clients import answer_within
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.base.text import batches
from schoolctl.ecs_service.define.observe import revision_image_exists
from schoolctl.ecs_service.rollout.native import Told, match
from schoolctl.ecs_service.rollout.progress import Look
from schoolctl.ecs_service.rollout.rollback import (
    Candidate,
    Completions,
    completed_before,
    left_behind,
    lower_than,
    rollback_target,
    with_completion,
)
from schoolctl.model.deployments import ServiceDeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.rollout.rollback import RollbackTarget
    from schoolctl.model.images import Repository
    from schoolctl.model.services import Deployment, Revision, Task, TaskDefinitionRef
    from schoolctl.model.surroundings import TargetHealth

T = TypeVar("T")

_LATE_SECONDS = 1.0
"""How long a look waits for what stands beside the service."""
_RECORDS = 20
"""How many of the newest service deployments may be ours: a call takes so many revisions."""
# Each revision is a call; what completed last is among the newest but for odd histories.
_AT_ONCE = 30


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


# Where a rollback goes


def observe_target(
    clients: Clients, config: Config, running: Revision, note: Callable[[str], None]
) -> RollbackTarget:
    """Give where a rollback goes.

    Images are looked for in order, up to the first that is there: those of revisions that
    completed first, the others only where none of them can run.

    Args:
        clients: the AWS clients.
        config: which service.
        running: what the service is at.
        note: takes what could not be read, a line each.

    Raises:
        NotFoundError: no other revision still has its image.

    Source: ECS ListTaskDefinitions, DescribeTaskDefinition, ListServiceDeployments; ECR
    DescribeImages.
    """
    looking_up = clients.start(find_repository, clients, config)
    proving = clients.start(_completions, clients, config, note)
    refs = [each for each in list_revisions(clients, running.ref.family) if each != running.ref]
    search = _Search(clients, looking_up.result(), config.task.container)
    completions = proving.result()
    running = with_completion(running, completions)
    known = [running]
    for batch in batches(refs, _AT_ONCE):
        found = describe_revisions(clients, batch)
        known += [with_completion(each, completions) for each in found]
        left = left_behind(known)
        proven = completed_before(known, running)
        if search.finds_one(each for each in proven if each.ref not in left):
            return rollback_target(search.candidates(known), running)
    if not search.finds_one(completed_before(known, running)):
        search.finds_one(lower_than(known, running))
    return rollback_target(search.candidates(known), running)


def _completions(
    clients: Clients, config: Config, note: Callable[[str], None]
) -> dict[TaskDefinitionRef, Completions]:
    """Give when rollouts of each revision completed, as ECS itself remembers.

    That proves revisions that other tools deployed, too. Of the newest hundred rollouts, and
    empty where they cannot be read.
    """
    where, done = config.service, (ServiceDeploymentStatus.SUCCESSFUL,)
    try:
        listed = list_service_deployments(clients, where.cluster, where.name, statuses=done)
        records = with_task_definitions(clients, listed or [])
    except SchoolctlError as error:
        note(f"{error.what}: {error.why}")
        return {}
    times: dict[TaskDefinitionRef, list[datetime]] = defaultdict(list)
    for each in records:
        if each.task_definition is not None and each.finished_at is not None:
            times[each.task_definition].append(each.finished_at)
    return {ref: Completions(min(of_it), max(of_it)) for ref, of_it in times.items()}


class _Search:
    """Looks for the images of revisions, each once."""

    def __init__(self, clients: Clients, repository: Repository | None, container: str) -> None:
        self._clients = clients
        self._repository = repository
        self._container = container
        self._looked_at: dict[TaskDefinitionRef, Candidate] = {}

    def candidates(self, revisions: Iterable[Revision]) -> list[Candidate]:
        """Give `revisions` with what was found out about their images."""
        return [self._looked_at.get(each.ref, Candidate(each, None)) for each in revisions]

    def finds_one(self, revisions: Iterable[Revision]) -> bool:
        """Look at `revisions` in their order until the image of one is not gone."""
        for revision in revisions:
            if revision.ref not in self._looked_at:
                exists = revision_image_exists(
                    self._clients, self._repository, revision, self._container
                )
                self._looked_at[revision.ref] = Candidate(revision, exists)
            if self._looked_at[revision.ref].image_exists is not False:
                return True
        return False
