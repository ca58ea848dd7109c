"""The commands `deploy`, `rollback` and `wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
from schoolctl.aws.ecs.services import describe_revision, describe_service
from schoolctl.base.errors import NotFoundError, SchoolctlError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.core.locking import locked
from schoolctl.core.options import (
    TWENTY_MINUTES,
    AsRevision,
    Command,
    ImageDigest,
    ImageTag,
    LockingCommand,
    NoWait,
    Timeout,
    parse_timeout,
)
from schoolctl.core.run import Run
from schoolctl.core.stack_values import StackValues
from schoolctl.ecs_service.define.observe import TaskObservation, need_service, observe_present
from schoolctl.ecs_service.define.plan import WATCH, DeployOptions, in_progress, usable
from schoolctl.ecs_service.define.planning import environment_option, plan_choice
from schoolctl.ecs_service.define.target import Choice, parse_choice, revision_target
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.ecs_service.rollout.answers import is_way_back
from schoolctl.ecs_service.rollout.observe import observe_target
from schoolctl.ecs_service.rollout.rollback import plan_rollback
from schoolctl.ecs_service.rollout.wait import rollout_in_question
from schoolctl.ecs_service.steps.service import MarkCompleted, WaitForRollout
from schoolctl.model.services import Revision

if TYPE_CHECKING:
    from schoolctl.base.plan import Step
    from schoolctl.core.executor import Outcome
    from schoolctl.ecs_service.define.target import Target
    from schoolctl.ecs_service.rollout.wait import InQuestion
    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import ServiceState

_RECORDS = 20
"""How many of the newest service deployments `wait` looks at."""

app = typer.Typer(rich_markup_mode=None)

FailFast = Annotated[
    int | None,
    typer.Option(
        "--fail-fast", metavar="N", min=1, help="Go back once N of the new tasks have failed."
    ),
]


@app.command("deploy", cls=LockingCommand)
def deploy(  # noqa: PLR0917  # one argument for each option
    context: typer.Context,
    tag: ImageTag = None,
    digest: ImageDigest = None,
    revision: AsRevision = None,
    no_wait: NoWait = False,
    timeout: Timeout = TWENTY_MINUTES,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Start a deployment even if nothing changed or another is going on."
        ),
    ] = False,
    desired_count: Annotated[
        int | None,
        typer.Option("--desired-count", metavar="N", min=0, help="Run this many tasks."),
    ] = None,
    fail_fast: FailFast = None,
) -> None:
    """Bring the service to an image, and tell what became of it.

    Without a choice, the newest image that has a tag is deployed. Everything that is missing is
    named before anything is changed.
    """
    run = Run.of(context)
    choice = parse_choice(tag, digest, revision)
    options = DeployOptions(
        wait=not no_wait,
        timeout_seconds=parse_timeout(timeout),
        force=force,
        desired_count=desired_count,
        fail_fast=_fail_fast(fail_fast, no_wait=no_wait),
    )
    counting = desired_count is not None and not choice.is_made
    if not counting:
        _need_choice(run, choice)
    values = StackValues(run)
    with locked(run):
        values.settle()
        if counting:
            choice = _choose_running(run)
            _need_choice(run, choice)
        found = plan_choice(run, choice, options)
        if run.change.dry_run:
            diff = found.diff(run.config.task.container)
            run.reporter.result({"diff": diff.document()}, diff.lines())
        _carry_out(run, found.plan, found.target, found.present.service, wait=options.wait)


def _fail_fast(tasks: int | None, *, no_wait: bool) -> int | None:
    """Give `tasks` back, or raise a `UsageError` where nobody would count them."""
    if tasks is not None and no_wait:
        raise UsageError(
            "--fail-fast does not go with --no-wait",
            why="nobody watches the tasks once the command has returned",
            hint="leave one of them out",
        )
    return tasks


def _choose_running(run: Run) -> Choice:
    """Choose the revision that the service is at: another count is no other image."""
    config = run.config
    service = describe_service(run.clients, config.service.cluster, config.service.name)
    if service is None or service.task_definition.family != config.task.family:
        return Choice()
    return Choice(revision=service.task_definition.revision)


def _need_choice(run: Run, choice: Choice) -> None:
    if run.config.protected and not choice.is_made:
        option = environment_option(run)
        raise UsageError(
            f"environment {run.config.environment} is protected: say which image to deploy",
            why="the newest image is deployed without a choice only where nothing is protected",
            hint=f"`schoolctl images list{option}`, then `schoolctl deploy{option} --tag TAG`",
        )


# `rollback`


@app.command("rollback", cls=LockingCommand)
def rollback(
    context: typer.Context,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=1, help="Go to the revision of this number."),
    ] = None,
    no_wait: NoWait = False,
    timeout: Timeout = TWENTY_MINUTES,
    fail_fast: FailFast = None,
) -> None:
    """Go back to the last revision that completed.

    That is the newest whose rollout completed before the running one, and whose image is still in
    ECR. A deployment in progress is stopped first. No release command runs.
    """
    run = Run.of(context)
    options = DeployOptions(
        wait=not no_wait,
        timeout_seconds=parse_timeout(timeout),
        fail_fast=_fail_fast(fail_fast, no_wait=no_wait),
    )
    with locked(run):
        service, running = _running(run)
        to = to or _unfinished(run, service)
        target, proven = _rollback_target(run, running, to)
        plan = plan_rollback(
            run.config, target, service, options, run.clock.now(), proven=proven or to is not None
        )
        if plan.steps and target.revision is not None:
            run.declare(str(target.revision.ref))
        _carry_out(run, plan, target, service, wait=options.wait)


def _running(run: Run) -> tuple[ServiceState, Revision]:
    config = run.config
    _, present = observe_present(run.clients, config)
    service = usable(present.service, config)
    if service is None:
        raise NotFoundError(
            f"there is no service {config.service.cluster}/{config.service.name}",
            why="only what runs can be rolled back",
            hint="`schoolctl deploy` creates it",
        )
    if present.running is not None:
        return service, present.running
    # Deleted since: ECS keeps running it, and tells nothing of it any more.
    return service, Revision(service.task_definition, False, None, {}, (), {})


def _unfinished(run: Run, service: ServiceState) -> int | None:
    """Give the revision that a rollback has begun to go to: one that died on the way, or ECS's own.

    Going back once more would be two rollbacks for one.
    """
    ref = service.task_definition
    moving = in_progress(service)
    if run.unfinished == str(ref):
        run.reporter.note(f"a rollback to {ref} was cut off; this run sees it through")
    elif moving is not None and moving.task_definition == ref and is_way_back(moving):
        run.reporter.note(f"ECS is going back to {ref} already: {moving.rollout_reason}")
    else:
        return None
    return ref.revision


def _rollback_target(run: Run, running: Revision, to: int | None) -> tuple[Target, bool]:
    """Give where to go, and whether a rollout of it has completed before."""
    if to is not None:
        revision, image_exists = TaskObservation(
            run.clients, run.config, Choice(revision=to)
        ).revision()
        proven = revision.completed_at is not None
    else:
        picked = observe_target(run.clients, run.config, running, run.reporter.detail)
        for each in picked.passed_over:
            run.reporter.note(f"{each.ref} is passed over: the service was rolled back from it")
        revision, proven, image_exists = picked.revision, picked.proven, True
    return revision_target(revision, run.config, running, image_exists=image_exists), proven


# `deploy` and `rollback`


def _carry_out(
    run: Run, plan: Plan, target: Target, before: ServiceState | None, *, wait: bool
) -> None:
    """Apply the plan, and say in one line what became of it."""
    config = run.config
    name = config.service.name
    # What is known by now stands in the document even where a step fails.
    run.reporter.result(
        {
            "service": name,
            "cluster": config.service.cluster,
            "environment": config.environment,
            "previous": str(before.task_definition) if before is not None else None,
            "revision": str(target.revision.ref) if target.revision is not None else None,
            "image": container_image(target.definition, config.task.container),
            "tag": target.tag,
            "verdict": "not started",
        }
    )
    outcome = run.carry_out(plan)
    if outcome is not None:
        _report(run, target, outcome, wait=wait)


def _report(run: Run, target: Target, outcome: Outcome, *, wait: bool) -> None:
    name = run.config.service.name
    if outcome.deployment is None:
        run.reporter.result({"verdict": "nothing to do"})
        return
    runs = f"{target.label} ({outcome.deployment.task_definition})"
    if not wait:
        run.reporter.note(WATCH)
        run.reporter.result({"verdict": "started"}, [f"{name} is on its way to {runs}"])
        return
    run.reporter.result({}, [f"{name} runs {runs}: {outcome.rollout}"])


# `wait`


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
    where = run.config.service
    try:
        listed = list_service_deployments(run.clients, where.cluster, where.name, limit=_RECORDS)
        return with_task_definitions(run.clients, listed or [])
    except SchoolctlError as error:
        run.reporter.detail(f"{error.what}: {error.why}")
        return []


def _plan(run: Run, found: InQuestion, seconds: float) -> Plan:
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
