"""`schoolctl wait`: the verdict on a rollout that another run has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.core.limits import parse_timeout
from schoolctl.core.options import TWENTY_MINUTES, Command, Timeout
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan, Step
    from schoolctl.ecs_service.rollout.wait import InQuestion
    from schoolctl.model.deployments import ServiceDeploymentBrief

_RECORDS = 20

app = typer.Typer(rich_markup_mode=None)


@app.command("wait", cls=Command)
def wait(
    context: typer.Context,
    timeout: Timeout = TWENTY_MINUTES,
    revision: Annotated[
        int | None,
        typer.Option("--revision", metavar="N", min=1, help="Only a rollout of this revision."),
    ] = None,
) -> None:
    """Follow the rollout that is in progress, and give its verdict.

    The verdict and the exit code are those that `deploy` would have given. With none in progress,
    they are those of the last one; it is well once all its tasks are healthy.
    """
    from schoolctl.ecs_service.rollout.wait import rollout_in_question
    from schoolctl.ecs_service.status.observe_status import need_service

    run = Run.of(context)
    seconds = parse_timeout(timeout)
    records = run.clients.start(_records, run)
    service = need_service(run.clients, run.config)
    run.reporter.result(
        {
            "service": service.name,
            "cluster": service.cluster,
            "environment": run.config.environment,
            "verdict": "failed",  # unless there is something to follow
        }
    )
    found = rollout_in_question(service, records.result(), revision)
    ref = found.deployment.task_definition
    run.reporter.result(
        {
            "revision": str(ref),
            "deployment_id": found.deployment.id,
            "in_progress": found.moving,
            "verdict": "not started",
        }
    )
    if not found.moving:
        run.reporter.note(f"no rollout of {service.name} is in progress; the last one was of {ref}")
    outcome = run.carry_out(_plan(run, found, seconds))
    if outcome is None:
        raise AssertionError("a command that changes nothing has no dry run")
    run.reporter.result({}, [f"{service.name} runs {ref}: {outcome.rollout}"])


def _records(run: Run) -> list[ServiceDeploymentBrief]:
    """Give ECS's own records of the newest rollouts; empty where they cannot be read."""
    from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
    from schoolctl.base.errors import SchoolctlError

    where = run.config.service
    try:
        listed = list_service_deployments(run.clients, where.cluster, where.name, limit=_RECORDS)
        return with_task_definitions(run.clients, listed or [])
    except SchoolctlError as error:
        run.reporter.detail(f"{error.what}: {error.why}")
        return []


def _plan(run: Run, found: InQuestion, seconds: float) -> Plan:
    from schoolctl.aws.ecs.services import describe_revision
    from schoolctl.base.plan import Plan
    from schoolctl.ecs_service.steps.service import MarkCompleted, WaitForRollout

    where, ref = run.config.service, found.deployment.task_definition
    steps: tuple[Step, ...] = (
        WaitForRollout(
            where.cluster,
            where.name,
            seconds,
            deployment=found.deployment,
            healthy=not found.moving,
        ),
    )
    # One that is decided by now may lack its mark, too: whoever began it was interrupted.
    revision = describe_revision(run.clients, ref)
    if revision is not None and (found.moving or revision.completed_at is None):
        steps = (*steps, MarkCompleted(ref, again=revision.completed_at is not None))
    return Plan(f"follow the rollout of {ref} on {where.name}", steps, quiet=True, watches=True)
