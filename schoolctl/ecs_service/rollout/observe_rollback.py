"""Which revisions a rollback may go to: read newest first, no further than it takes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from schoolctl.aws.ecr import find_repository
from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
from schoolctl.aws.ecs.services import describe_revisions, list_revisions
from schoolctl.base.batches import batches
from schoolctl.base.errors import SchoolctlError
from schoolctl.ecs_service.define.observe_task import revision_image_exists
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
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.rollout.rollback import RollbackTarget
    from schoolctl.model.images import Repository
    from schoolctl.model.services import Revision, TaskDefinitionRef

# Each revision is a call; what completed last is among the newest but for odd histories.
_AT_ONCE = 30


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
