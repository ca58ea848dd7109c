"""`infra plan`, `up`, `status`, `outputs` and `down`."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.cloudformation import delete_change_set, find_drift, find_stack, newest_events
from schoolctl.aws.ecr import find_repository
from schoolctl.aws.ecs.services import count_tasks, services_of
from schoolctl.aws.iam import has_identity_provider
from schoolctl.aws.rds import database_protected
from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import (
    ConfigError,
    ExitCode,
    MissingThingsError,
    NotFoundError,
    SchoolctlError,
)
from schoolctl.config.infra import NewVpcConfig
from schoolctl.core.locking import locked
from schoolctl.core.options import Command, ExitWith10, LockingCommand, parse_timeout
from schoolctl.core.run import Run
from schoolctl.iam.policy import GITHUB, Scope
from schoolctl.infra.apply import follow_ours, work_out
from schoolctl.infra.changes import changes_of_plan
from schoolctl.infra.operations import (
    is_success,
    last_operation,
    operation_lines,
    refuse_busy,
    status_document,
    status_lines,
)
from schoolctl.infra.rules import Found, Standing, changes_of, kept, plan_down, plan_up, refuse_move
from schoolctl.infra.template import Place, make_template
from schoolctl.model.stacks import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_ec2.type_defs import FilterTypeDef, SubnetTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.core.executor import Tools
    from schoolctl.model.stacks import StackState, Template


app = typer.Typer(
    help="The CloudFormation stack of an environment's infrastructure.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_AN_HOUR = 3600.0

Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", help="Stop waiting after this time.", show_default="an hour"
    ),
]


@app.command("plan", cls=Command)
def plan(
    context: typer.Context,
    template: Annotated[
        bool, typer.Option("--template", help="Print the CloudFormation template instead.")
    ] = False,
    exit_code: ExitWith10 = False,
) -> None:
    """Show what `infra up` would create, change, replace or delete.

    For a stack that exists, CloudFormation works it out itself, in a change set that is removed
    again.
    """
    run = _begin(context)
    with _found(run) as (found, made):
        if template:
            run.reporter.result({"template": dict(made.document)}, [made.text])
            return
        changes = changes_of(found, made)
        planned = plan_up(run.config, found, made, timeout_seconds=_AN_HOUR, delete_data=True)
        steps = [f"  {number}. {each.describe()}" for number, each in enumerate(planned.steps, 1)]
        lines = [*planned.notes, "`schoolctl infra up` would:", *steps]
        if not planned.steps:
            lines = [planned.nothing]
        document = changes_of_plan(run.config.stack_name, changes, planned)
        run.reporter.result(document, map(run.for_environment, lines))
        for line in planned.warnings:
            run.reporter.warn(line)
    if exit_code and planned.steps:
        raise typer.Exit(ExitCode.DIFFERENCES)


@app.command("up", cls=LockingCommand)
def up(
    context: typer.Context,
    timeout: Timeout = _AN_HOUR,
    delete_data: Annotated[
        bool,
        typer.Option(
            "--delete-data", help="Let the database be replaced or deleted; a snapshot is kept."
        ),
    ] = False,
) -> None:
    """Lay the environment's infrastructure, or bring it to what schoolctl.yaml says.

    What was begun by a run that ended is followed first. On a failure, the resource that failed and
    AWS's reason are told first; then correct the cause, and run it again.
    """
    run = _begin(context)
    seconds = parse_timeout(timeout)
    with locked(run):
        if not run.change.dry_run:
            _follow_earlier(run, seconds)
        with _found(run) as (found, made):
            planned = plan_up(
                run.config, found, made, timeout_seconds=seconds, delete_data=delete_data
            )
            if run.carry_out(planned) is None:
                return
    _report_outputs(run, changed=bool(planned.steps))


@app.command("status", cls=Command)
def status(
    context: typer.Context,
    drift: Annotated[
        bool, typer.Option("--drift/--no-drift", help="Whether to look for changes made by hand.")
    ] = True,
    exit_code: ExitWith10 = False,
) -> None:
    """Show the stack, what goes on with it, and what somebody changed by hand.

    CloudFormation compares each resource with the template, which may take a minute.
    """
    run = _begin(context)
    stack = _need_stack(run)
    found = None
    if drift and not stack.in_progress:
        found = find_drift(run.clients, stack.name, run.clock, run.reporter.warn)
    events = _last_events(run, stack)
    run.reporter.result(status_document(stack, found, events), status_lines(stack, found, events))
    if exit_code and found:
        raise typer.Exit(ExitCode.DIFFERENCES)


@app.command("outputs", cls=Command)
def outputs(context: typer.Context) -> None:
    """Show the ids and addresses of what the stack made."""
    run = _begin(context)
    stack = _need_stack(run)
    run.reporter.table(
        {"stack": stack.name, "outputs": dict(stack.outputs)},
        ("OUTPUT", "VALUE"),
        sorted(stack.outputs.items()),
    )


@app.command("down", cls=LockingCommand)
def down(
    context: typer.Context,
    timeout: Timeout = _AN_HOUR,
    delete_data: Annotated[
        bool,
        typer.Option(
            "--delete-data", help="Delete the database without a snapshot, and the log group."
        ),
    ] = False,
) -> None:
    """Delete the stack and what stands in it, and keep what holds data.

    Refused while a service runs in the cluster. The repository, which environments share, the
    parameters and the secrets stay in any case.
    """
    run = _begin(context)
    seconds = parse_timeout(timeout)
    with locked(run):
        standing = _standing(run)
        planned = plan_down(run.config, standing, timeout_seconds=seconds, delete_data=delete_data)
        if run.carry_out(planned) is None:
            return
    database = standing.stack.outputs.get("DatabaseInstance", "") if standing.stack else ""
    stays = kept(run.config, database, delete_data=delete_data) if planned.steps else ()
    name = run.config.stack_name
    run.reporter.result(
        {"stack": name, "deleted": bool(planned.steps), "kept": list(stays)},
        [f"stack {name} is gone"] if planned.steps else [],
    )


def _begin(context: typer.Context) -> Run:
    """Give the run of an environment that has a stack."""
    run = Run.of(context)
    config = run.config
    if not config.infra.stack:
        raise ConfigError(
            f"environment {config.environment} has no stack of its own",
            why="`infra.stack` is not true: its infrastructure is somebody else's",
            hint="to have schoolctl lay it, add `infra: {stack: true}` to the environment;"
            " `schoolctl network check` looks at what is there",
        )
    return run


# Looking


@contextmanager
def _found(run: Run) -> Iterator[tuple[Found, Template]]:
    """Give what there is and what is wanted; a change set that was made for it is removed again."""
    found, made = _observe(run)
    left = ""
    if found.condition is Condition.READY:
        found, left = _with_changes(run.tools, found, made)
    try:
        yield found, made
    finally:
        if left:
            with suppress(SchoolctlError):  # carried out, it is gone
                delete_change_set(run.clients, run.config.stack_name, left)


def _observe(run: Run) -> tuple[Found, Template]:
    config, clients = run.config, run.clients
    stack = clients.start(find_stack, clients, config.stack_name)
    repository = clients.start(find_repository, clients, config)
    place = clients.start(find_place, clients, config)
    provider = (
        clients.start(has_identity_provider, clients, GITHUB) if config.infra.ci_role else None
    )
    scope = Scope(config, clients.region, run.identity().account)
    run.check_account()
    found = Found(
        stack.result(),
        repository.result(),
        provider=provider.result() if provider is not None else None,
    )
    made = make_template(scope, place.result())
    refuse_move(found, made)
    return found, made


def _with_changes(tools: Tools, found: Found, made: Template) -> tuple[Found, str]:
    """Give what an update would do, and the name of the change set that has to go again."""
    from dataclasses import replace

    changes = work_out(tools, tools.config.stack_name, made, found.stack)
    if changes.is_empty:
        return found, changes.name
    return replace(found, change_set=changes), changes.name


def _standing(run: Run) -> Standing:
    config, clients = run.config, run.clients
    services = clients.start(services_of, clients, config.service.cluster)
    tasks = clients.start(count_tasks, clients, config.service.cluster)
    stack = find_stack(clients, config.stack_name)
    database = stack.outputs.get("DatabaseInstance", "") if stack else ""
    return Standing(
        stack,
        services.result(),
        tasks.result(),
        database_protected(clients, database) if database else False,
    )


def _need_stack(run: Run) -> StackState:
    name = run.config.stack_name
    found = find_stack(run.clients, name)
    if found is None:
        raise NotFoundError(
            f"there is no stack {name} in {run.clients.region}",
            why=f"nobody has laid the infrastructure of environment {run.config.environment} here",
            hint="`schoolctl infra plan` shows what `schoolctl infra up` would make",
        )
    return found


def _last_events(run: Run, stack: StackState) -> list[str]:
    """Give what the newest operation failed at, or is doing."""
    if is_success(stack.status):
        return []
    return operation_lines(last_operation(newest_events(run.clients, stack.id)).events)


# Acting


def _follow_earlier(run: Run, seconds: float) -> None:
    """Follow what an earlier run of ours began, until it is over.

    Raises:
        BusyError: somebody else is at work.
    """
    stack = find_stack(run.clients, run.config.stack_name)
    if stack is None or not stack.in_progress:
        return
    going_on = last_operation(newest_events(run.clients, stack.id))
    if not going_on.is_ours:
        raise refuse_busy(stack)
    run.check_account()
    follow_ours(run.tools, stack, going_on.token, going_on.events, seconds)


def _report_outputs(run: Run, *, changed: bool) -> None:
    stack = _need_stack(run)
    run.reporter.result(
        {
            "stack": stack.name,
            "status": stack.status,
            "changed": changed,
            "outputs": dict(stack.outputs),
        },
        [f"stack {stack.name} is up: {stack.outputs.get('Url', '')}"],
    )


_ZONES = 2


def find_place(clients: Clients, config: Config) -> Place:
    """Give where a stack goes: nothing where it makes a VPC of its own.

    Of a VPC that exists, the subnets that the configuration names, else those whose machines get a
    public address.

    Raises:
        MissingThingsError: there is no such VPC, or it has no subnets in two zones.

    Source: EC2 DescribeSubnets, all pages; a subnet tells its VPC.
    """
    infra = config.infra
    if isinstance(infra.vpc, NewVpcConfig):
        return Place()
    filters: list[FilterTypeDef]
    if infra.subnets:
        filters = [{"Name": "subnet-id", "Values": list(infra.subnets)}]
    elif infra.vpc == "default":
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
    else:
        filters = [{"Name": "vpc-id", "Values": [infra.vpc]}]
    pages = clients.ec2.get_paginator("describe_subnets")
    with translated("look for the subnets"):
        found = [each for page in pages.paginate(Filters=filters) for each in page["Subnets"]]
    chosen = found if infra.subnets else [each for each in found if each.get("MapPublicIpOnLaunch")]
    missing = _missing(config, found, chosen)
    if missing:
        raise MissingThingsError(
            f"stack {config.stack_name} cannot be put into VPC {infra.vpc}",
            missing,
            hint="name subnets of two zones in `infra.subnets`, or let the stack make a VPC:"
            " `infra: {vpc: {cidr: 10.20.0.0/16}}`",
        )
    ids = sorted(each.get("SubnetId", "") for each in chosen)
    return Place(chosen[0].get("VpcId", ""), tuple(ids))


def _missing(
    config: Config, found: Sequence[SubnetTypeDef], chosen: Sequence[SubnetTypeDef]
) -> list[str]:
    infra = config.infra
    there: set[str] = {_text(each, "SubnetId") for each in found}
    gone = [f"there is no subnet {each}" for each in infra.subnets if each not in there]
    vpcs = {_text(each, "VpcId") for each in chosen}
    zones = {_text(each, "AvailabilityZone") for each in chosen}
    if gone:
        return gone
    if len(vpcs) > 1:
        return [f"the subnets are of several VPCs: {', '.join(sorted(vpcs))}"]
    if vpcs and infra.vpc not in {"default", *vpcs}:
        return [f"the subnets are of VPC {min(vpcs)}"]
    if not found:
        return ["there is no such VPC here, or it has no subnets"]
    if len(zones) < _ZONES:
        kind = "subnets" if infra.subnets else "public subnets"
        return [f"a load balancer needs {kind} in two zones; there are {len(zones)}"]
    return []


def _text(of: Mapping[str, object], key: str) -> str:
    return str(of.get(key, ""))
