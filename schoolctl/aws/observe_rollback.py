"""Which revisions a rollback may go to: read newest first, no further than it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecr import find_repository
from schoolctl.aws.ecs import describe_revisions, list_revisions
from schoolctl.aws.observe_task import revision_image_exists
from schoolctl.batches import batches
from schoolctl.plan.rollback import Candidate, completed_before, lower_than

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schoolctl.aws.clients import Clients
    from schoolctl.config import Config
    from schoolctl.model import Repository, Revision, TaskDefinitionRef

# Each revision is a call; what completed last is among the newest but for odd histories.
_AT_ONCE = 30


def observe_candidates(clients: Clients, config: Config, running: Revision) -> list[Candidate]:
    """Give the revisions whose images were looked for, up to the first whose image is there.

    Those that completed come first; the others are looked at only where none of them can run.

    Source: ECS ListTaskDefinitions, DescribeTaskDefinition; ECR DescribeImages.
    """
    looking_up = clients.start(find_repository, clients, config)
    refs = [each for each in list_revisions(clients, running.ref.family) if each != running.ref]
    search = _Search(clients, looking_up.result(), config.task.container)
    known: list[Revision] = []
    for batch in batches(refs, _AT_ONCE):
        known += describe_revisions(clients, batch)
        if search.finds_one(completed_before(known, running)):
            return search.candidates
    search.finds_one(lower_than(known, running))
    return search.candidates


class _Search:
    """Looks for the images of revisions, each once."""

    def __init__(self, clients: Clients, repository: Repository | None, container: str) -> None:
        self._clients = clients
        self._repository = repository
        self._container = container
        self._looked_at: dict[TaskDefinitionRef, Candidate] = {}

    @property
    def candidates(self) -> list[Candidate]:
        """What was looked at, in that order."""
        return list(self._looked_at.values())

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
