"""`network check` and `network apply`: from the internet to the database, and no further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.errors import ExitCode
from schoolctl.core.locking import locked
from schoolctl.core.options import Command, LockingCommand
from schoolctl.core.run import Run
from schoolctl.network.observe import observe_network
from schoolctl.network.rules import check_network, notes_of, plan_network
from schoolctl.network.view import ASCII, UNICODE, report

if TYPE_CHECKING:
    from schoolctl.network.view import Report

app = typer.Typer(
    help="The security groups from the internet to the database.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


_PAGE = 80
"""How wide the drawing is where there is no terminal."""


@app.command("check", cls=Command)
def check(context: typer.Context) -> int:
    """Compare the network with what the service needs; exit with 10 where it differs.

    The load balancer is open on 80 and 443, the service to the load balancer, the database to the
    service, and nothing else. Target group, zones and the ways to AWS's own APIs are looked at
    too. Each difference comes with its cure.
    """
    run = Run.of(context)
    config = run.config
    state = observe_network(run.clients, config)
    shown = report(config, state, check_network(config, state), notes_of(config, state))
    run.check_account()
    _show(run, shown)
    return ExitCode.DIFFERENCES if shown.findings else ExitCode.DONE


@app.command("apply", cls=LockingCommand)
def apply(
    context: typer.Context,
    fix: Annotated[
        bool, typer.Option("--fix", help="Remove the rules that are too many, too; asks first.")
    ] = False,
) -> None:
    """Make the three security groups and the rules that are missing.

    What is there already is left as it is. With --fix, rules that the chain does not need go.
    """
    run = Run.of(context)
    with locked(run):
        plan = plan_network(run.config, observe_network(run.clients, run.config), fix=fix)
        outcome = run.carry_out(plan)
    if outcome is not None:
        run.reporter.result(
            {
                "environment": run.config.environment,
                "created": outcome.created_groups,
                "done": outcome.done,
                "warnings": list(plan.warnings),
            }
        )


def _show(run: Run, shown: Report) -> None:
    for line in shown.state.unverified:
        run.reporter.warn(line)
    for line in shown.notes:
        run.reporter.note(line)
    pen = UNICODE if run.reporter.draws_lines else ASCII
    run.reporter.result(shown.document(), shown.lines(pen, run.reporter.width or _PAGE))
    advice = shown.advice()
    run.reporter.note(advice or "the network is as documented")
