"""`params delete`: one parameter, unless what the service runs reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.core.run import Run

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan


def delete_parameter(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The parameter's key.")],
    force: Annotated[
        bool, typer.Option("--force", help="Delete it although the service may read it.")
    ] = False,
) -> None:
    """Delete a parameter with all its versions; asks first.

    Refused while a revision that the service runs reads it: its next task could not start.
    """
    from schoolctl.aws.ssm import get_parameters
    from schoolctl.params.observe_use import observe_use
    from schoolctl.params.rules import find_parameter, plan_delete

    run = Run.of(context)
    entry = find_parameter(run.config, key)
    using = run.clients.start(observe_use, run.clients, run.config)
    found = get_parameters(run.clients, [entry.name], decrypt=False).get(entry.name)
    run.check_account()
    plan = plan_delete(
        entry,
        found,
        using.result() if found is not None else None,
        force=force,
        environment=run.config.environment,
    )
    if run.carry_out(plan) is not None:
        _report(run, entry.key, plan)


def _report(run: Run, key: str, plan: Plan) -> None:
    environment = run.config.environment
    run.reporter.result(
        {"environment": environment, "key": key, "deleted": bool(plan.steps)},
        [f"deleted {key} of environment {environment}"] if plan.steps else [],
    )
