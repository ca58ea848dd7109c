"""`lock show` and `lock release`: who deploys just now, and what to do about a lock left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.process_mark import has_ended, is_here
from schoolctl.core.lock import read_lock
from schoolctl.core.lock_rules import lock_name, plan_free, shown
from schoolctl.core.options import ChangingCommand, Command
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from schoolctl.core.lock_rules import Found

app = typer.Typer(
    help="Who deploys just now, and a lock that was left behind.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("show", cls=Command)
def show(context: typer.Context) -> None:
    """Show who holds the deploy lock of the environment."""
    run = Run.of(context)
    name = lock_name(run.config)
    found = _read(run, name)
    run.check_account()
    ended = found is not None and has_ended(found.holder.process)
    run.reporter.result(*shown(name, found, ended=ended))


@app.command("release", cls=ChangingCommand)
def release(
    context: typer.Context,
    id_: Annotated[
        str, typer.Option("--id", metavar="ID", help="The id of the lock, from `lock show`.")
    ],
) -> None:
    """Free the deploy lock of a run that is gone.

    Only the lock with this id is freed. One whose process is dead on this host, or which was not
    renewed for five minutes, need not be freed: the next deploy takes it over.
    """
    run = Run.of(context)
    name = lock_name(run.config)
    found = _read(run, name)
    process = found.holder.process if found is not None else None
    plan = plan_free(
        name,
        found,
        id_,
        here=process is not None and is_here(process),
        ended=process is not None and has_ended(process),
    )
    outcome = run.carry_out(plan)
    if outcome is not None:
        run.reporter.result(
            {"lock": name, "freed": bool(outcome.done)},
            [f"{name} is free"] if outcome.done else [],
        )


def _read(run: Run, name: str) -> Found | None:
    return read_lock(run.clients, name, run.clock)
