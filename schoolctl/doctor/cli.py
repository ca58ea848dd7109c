"""The command `schoolctl doctor`, and the table of its checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from schoolctl.base.errors import ExitCode
from schoolctl.core.options import Command
from schoolctl.core.run import Run
from schoolctl.doctor import account, machine, network, service
from schoolctl.doctor.look import Look
from schoolctl.doctor.verdict import Group, Level, carry_out, counts, lines

CHECKS = (
    *machine.CHECKS,
    *account.CHECKS,
    *service.CHECKS,
    *network.CHECKS,
    *account.PERMISSION_CHECKS,
)
"""The table of `doctor`, in its order: each check after those that it needs."""

app = typer.Typer(rich_markup_mode=None)

Only = Annotated[
    Group | None, typer.Option("--only", help="Check one group, with what its checks need.")
]


@app.command("doctor", cls=Command)
def doctor(
    context: typer.Context,
    only: Only = None,
) -> int:
    """Check what builds, deployments and tasks need, each finding with its cure.

    Nothing is changed, and no value is decrypted. FAIL is what makes a build, a deployment or a
    task fail, or lets in whom it should not; WARN what may not be meant or could not be verified;
    SKIP what cannot be told while another check fails, or without a read that is denied. With a
    FAIL, the exit code is 1.
    """
    run = Run.of(context)
    found = [
        replace(each, verdict=replace(each.verdict, cure=run.for_environment(each.verdict.cure)))
        for each in carry_out(CHECKS, Look(run), only)
    ]
    number = counts(found)
    run.reporter.warned += [each.verdict.what for each in found]
    run.reporter.result(
        {
            "counts": {level.value: number[level] for level in Level},
            "checks": [each.document() for each in found],
        },
        lines(found, run.reporter.width),
    )
    return ExitCode.FAILED if number[Level.FAIL] else ExitCode.DONE
