"""The commands `scale` and `restart`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.autoscaling import find_auto_scaling, find_scaling_range
from schoolctl.aws.ecs.services import describe_revision
from schoolctl.aws.elbv2 import find_target_group
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.core.locking import locked
from schoolctl.core.options import TWENTY_MINUTES, LockingCommand, NoWait, Timeout, parse_timeout
from schoolctl.core.run import Run
from schoolctl.ecs_service.define.observe import need_service
from schoolctl.ecs_service.define.plan import DeployOptions, usable
from schoolctl.ecs_service.scale.auto_scaling import (
    Wanted,
    check_wanted,
    count_after,
    limits_after,
    plan_auto_scaling,
    targets_of,
    told,
)
from schoolctl.ecs_service.scale.rules import plan_restart, plan_scale
from schoolctl.ecs_service.steps.service import UpdateService

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.plan import Plan
    from schoolctl.config.models import Config
    from schoolctl.model.services import ScalingRange, ServiceState
    from schoolctl.model.surroundings import TargetGroup

app = typer.Typer(rich_markup_mode=None)


@app.command("scale", cls=LockingCommand)
def scale(  # noqa: PLR0917  # each is an option
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="N", min=0, help="How many tasks are to run.")
    ] = None,
    minimum: Annotated[
        int | None,
        typer.Option(
            "--min", metavar="N", min=0, help="The fewest tasks that auto scaling leaves."
        ),
    ] = None,
    maximum: Annotated[
        int | None,
        typer.Option("--max", metavar="N", min=1, help="The most tasks that auto scaling starts."),
    ] = None,
    cpu: Annotated[
        int | None,
        typer.Option(
            "--cpu",
            metavar="PERCENT",
            min=1,
            max=100,
            help="Have auto scaling keep CPU use at this.",
        ),
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(
            "--requests",
            metavar="N",
            min=1,
            help="Have auto scaling keep the requests a minute and task at this.",
        ),
    ] = None,
    no_auto: Annotated[
        bool, typer.Option("--no-auto", help="End auto scaling: limits, policies and schedule go.")
    ] = False,
    no_wait: NoWait = False,
    timeout: Timeout = TWENTY_MINUTES,
) -> None:
    """Set how many tasks the service runs, and wait until they do.

    0 stops the service, and asks first. Where auto scaling manages the count, one outside of its
    limits is refused; --min and --max set them, with or without a count.

    --cpu and --requests tell auto scaling when to move the count, as policies schoolctl-cpu and
    schoolctl-requests; other policies are left alone. --no-auto asks first: with the limits AWS
    deletes every policy and scheduled action of the service.
    """
    run = Run.of(context)
    options = DeployOptions(wait=not no_wait, timeout_seconds=parse_timeout(timeout))
    wanted = Wanted(number, minimum, maximum, cpu, requests, no_auto)
    check_wanted(wanted)
    with locked(run):
        change = _plan_all if wanted.changes_auto_scaling else _plan_count
        planned = change(run, wanted, options)
        outcome = run.carry_out(planned.plan)
        if outcome is None:
            return
        sets_count = any(isinstance(each, UpdateService) for each in planned.plan.steps)
        said = outcome.rollout or ("" if sets_count else planned.told)
        name = f"{planned.service.name}:"
        _end(run, planned.plan, said, name, "is on its way to that count")


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
    run = Run.of(context)
    options = DeployOptions(wait=not no_wait, timeout_seconds=parse_timeout(timeout))
    with locked(run):
        service = _service(run)
        revision = describe_revision(run.clients, service.task_definition)
        plan = plan_restart(service, revision, options, run.clock.now())
        _begin(run, service, revision=str(service.task_definition))
        outcome = run.carry_out(plan)
        if outcome is None:
            return
        what = f"{service.name} runs new tasks of {service.task_definition}:"
        _end(run, plan, outcome.rollout, what, "starts new tasks")


@dataclass(frozen=True)
class _Planned:
    """A plan, the service it is for, and what auto scaling does once it is through."""

    plan: Plan
    service: ServiceState
    told: str = ""


def _plan_count(run: Run, wanted: Wanted, options: DeployOptions) -> _Planned:
    """Plan another count, within what auto scaling keeps to."""
    number = wanted.count
    if number is None:
        raise AssertionError("a count or a change of auto scaling was asked for")
    scaling = run.clients.start(_scaling, run.clients, run.config)
    service = _service(run)
    limits, warning = scaling.result()
    if warning:
        run.reporter.warn(warning)
    plan = plan_scale(service, number, limits, options)
    _begin(run, service, desired_count=number, previous_count=service.desired)
    return _Planned(plan, service)


def _plan_all(run: Run, wanted: Wanted, options: DeployOptions) -> _Planned:
    """Plan other limits and goals, and perhaps another count with them."""
    names = (run.config.service.cluster, run.config.service.name)
    scaling = run.clients.start(find_auto_scaling, run.clients, *names, with_scheduled=wanted.ends)
    service = _service(run)
    group = _only_group(run, service) if wanted.requests is not None else None
    found = scaling.result()
    plan = plan_auto_scaling(service, wanted, found, options, group)
    limits = limits_after(service, wanted, found.limits)
    before = asdict(found.limits) if found.limits else None
    _begin(
        run,
        service,
        desired_count=count_after(service, wanted, limits),
        previous_count=service.desired,
        # As they are; each step that changes them says so once it is through.
        limits=before,
        previous_limits=before,
        policies=targets_of(found),
    )
    return _Planned(plan, service, told("it", wanted, limits))


def _only_group(run: Run, service: ServiceState) -> TargetGroup | None:
    arns = service.target_group_arns
    return find_target_group(run.clients, arns[0]) if len(arns) == 1 else None


def _service(run: Run) -> ServiceState:
    service = usable(need_service(run.clients, run.config), run.config)
    if service is None:
        raise AssertionError("a service that was deleted is not there")
    return service


def _scaling(clients: Clients, config: Config) -> tuple[ScalingRange | None, str]:
    """Give what auto scaling keeps to, and a warning where that cannot be told."""
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
