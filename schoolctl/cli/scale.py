"""`schoolctl scale` and `schoolctl restart`: another number of tasks, and new ones for old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.limits import parse_timeout
from schoolctl.cli.options import TWENTY_MINUTES, LockingCommand, NoWait, Timeout
from schoolctl.cli.run import Run

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients
    from schoolctl.config import Config
    from schoolctl.model import ServiceState
    from schoolctl.plan.scale import ScalingRange
    from schoolctl.plan.steps import Plan

app = typer.Typer(rich_markup_mode=None)


@app.command("scale", cls=LockingCommand)
def scale(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="N", min=0, help="How many tasks are to run.")],
    no_wait: NoWait = False,
    timeout: Timeout = TWENTY_MINUTES,
) -> None:
    """Set how many tasks the service runs, and wait until they do.

    0 stops the service, and asks first. Where auto scaling manages the count, one outside of its
    limits is refused.
    """
    from schoolctl.plan.deploy import DeployOptions
    from schoolctl.plan.scale import plan_scale

    run = Run.of(context)
    options = DeployOptions(wait=not no_wait, timeout_seconds=parse_timeout(timeout))
    with run.locked():
        scaling = run.clients.start(_scaling, run.clients, run.config)
        service = _service(run)
        limits, warning = scaling.result()
        if warning:
            run.reporter.warn(warning)
        plan = plan_scale(service, number, limits, options)
        _begin(run, service, desired_count=number, previous_count=service.desired)
        outcome = run.carry_out(plan)
        if outcome is None:
            return
        _end(run, plan, outcome.rollout, f"{service.name}:", "is on its way to that count")


@app.command("restart", cls=LockingCommand)
def restart(
    context: typer.Context,
    no_wait: NoWait = False,
    timeout: Timeout = TWENTY_MINUTES,
) -> None:
    """Replace the service's tasks by new ones of the same revision.

    They read parameters and secrets anew. The rollout is followed to its verdict, as with
    `deploy`.
    """
    from schoolctl.aws.ecs import describe_revision
    from schoolctl.plan.deploy import DeployOptions
    from schoolctl.plan.scale import plan_restart

    run = Run.of(context)
    options = DeployOptions(wait=not no_wait, timeout_seconds=parse_timeout(timeout))
    with run.locked():
        service = _service(run)
        revision = describe_revision(run.clients, service.task_definition)
        plan = plan_restart(service, revision, options, run.clock.now())
        _begin(run, service, revision=str(service.task_definition))
        outcome = run.carry_out(plan)
        if outcome is None:
            return
        what = f"{service.name} runs new tasks of {service.task_definition}:"
        _end(run, plan, outcome.rollout, what, "starts new tasks")


def _service(run: Run) -> ServiceState:
    from schoolctl.aws.observe_status import need_service
    from schoolctl.plan.deploy import usable

    service = usable(need_service(run.clients, run.config), run.config)
    if service is None:
        raise AssertionError("a service that was deleted is not there")
    return service


def _scaling(clients: Clients, config: Config) -> tuple[ScalingRange | None, str]:
    """Give what auto scaling keeps to, and a warning where that cannot be told."""
    from schoolctl.aws.autoscaling import find_scaling_range
    from schoolctl.errors import AccessDeniedError, SchoolctlError

    name = f"{config.service.cluster}/{config.service.name}"
    unverified = f"whether auto scaling manages the count of {name} was not verified"
    try:
        return find_scaling_range(clients, config.service.cluster, config.service.name), ""
    except AccessDeniedError as error:
        return None, f"{unverified}: {error.action or 'the read'} is denied"
    except SchoolctlError as error:
        return None, f"{unverified}: {error.why}"


def _begin(run: Run, service: ServiceState, **known: object) -> None:
    """Put into the document what is known before anything is changed."""
    run.reporter.result(
        {
            "service": service.name,
            "cluster": run.config.service.cluster,
            "environment": run.config.environment,
            **known,
            "verdict": "not started",
        }
    )


def _end(run: Run, plan: Plan, said: str, done: str, begun: str) -> None:
    """Say in one line what came of it."""
    if not plan.steps:
        run.reporter.result({"verdict": "nothing to do"})
    elif said:
        run.reporter.result({"verdict": "completed"}, [f"{done} {said}"])
    else:
        run.reporter.note("follow it with `schoolctl status`")
        run.reporter.result({"verdict": "started"}, [f"{run.config.service.name} {begun}"])
