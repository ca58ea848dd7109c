"""Which revision a one-off task runs, and the plan for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import NotFoundError
from schoolctl.base.plan import Plan
from schoolctl.base.text import duration
from schoolctl.ecs_service.define.one_off import launch_of
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.images import Digest
    from schoolctl.model.services import Revision, ServiceState, TaskDefinitionRef

PURPOSE = "command"


def running_revision(service: ServiceState) -> TaskDefinitionRef:
    """Give the revision that the service is known to run.

    While a rollout is under way that is the one before it: the new one is not proven yet.
    """
    completed = [
        each for each in service.deployments if each.rollout_state is RolloutState.COMPLETED
    ]
    completed.sort(key=lambda each: each.status != "PRIMARY")
    return completed[0].task_definition if completed else service.task_definition


def revision_of_image(
    revisions: Sequence[Revision], tag: str, digest: Digest | None
) -> TaskDefinitionRef:
    """Give the newest revision that runs the image `tag`.

    Args:
        revisions: ACTIVE revisions of the family, newest first.
        tag: the tag that was asked for.
        digest: what the tag is in the repository now; None where it is not there.

    Raises:
        NotFoundError: none of the revisions has the image.
    """
    for each in revisions:
        by_digest = digest is not None and any(image.endswith(str(digest)) for image in each.images)
        if by_digest or any(image.endswith(f":{tag}") for image in each.images):
            return each.ref
    raise NotFoundError(
        f"no revision runs the image {tag}",
        why="the tag is not in the repository"
        if digest is None
        else f"none of the newest {len(revisions)} revisions names {digest}",
        hint="`schoolctl images list` shows the tags;"
        f" `schoolctl taskdef register --tag {tag}` makes a revision",
    )


def plan_run(
    service: ServiceState,
    revision: TaskDefinitionRef,
    *,
    container: str,
    command: Sequence[str],
    timeout_seconds: float,
) -> Plan:
    """Plan a one-off task in the network of the service.

    Raises:
        NotFoundError: the service has no network configuration, as Fargate tasks need it.
    """
    network = service.settings.get("networkConfiguration")
    if not isinstance(network, dict) or not network:
        raise NotFoundError(
            f"service {service.cluster}/{service.name} has no network configuration",
            why="a task on Fargate needs subnets and security groups, and takes the service's",
            hint="deploy the service with schoolctl first",
        )
    step = RunTask(
        cluster=service.cluster,
        container=container,
        task_definition=revision,
        command=tuple(command),
        network=network,
        purpose=PURPOSE,
        timeout_seconds=timeout_seconds,
        must_succeed=False,
        launch=launch_of(service.settings),
        log_is_result=True,
    )
    own = (
        "no COMMAND was given, so the image's own runs; that of a service is its server, which goes"
        f" on until Ctrl-C, or for {duration(timeout_seconds)}"
    )
    return Plan(
        summary=f"run a one-off task in {service.cluster} beside {service.name}.",
        steps=(step,),
        notes=() if command else (own,),
        quiet=True,
    )
