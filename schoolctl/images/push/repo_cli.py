"""The commands `repo create` and `repo show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from schoolctl.aws.ecr import find_repository, need_repository
from schoolctl.base.text import iso, local_time
from schoolctl.core.options import ChangingCommand, Command
from schoolctl.core.run import Run
from schoolctl.images.push.rules import plan_repository

if TYPE_CHECKING:
    from schoolctl.model.images import Repository

app = typer.Typer(
    help="Create and show the ECR repository.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("create", cls=ChangingCommand)
def create(context: typer.Context) -> None:
    """Create the repository: immutable tags, scan on push, encrypted."""
    run = Run.of(context)
    there = find_repository(run.clients, run.config)
    plan = plan_repository(run.config.image.repository, there)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    made = there or need_repository(run.clients, run.config)
    run.reporter.result({**_document(made), "created": there is None}, [str(made.uri)])


@app.command("show", cls=Command)
def show(context: typer.Context) -> None:
    """Show the repository and its settings."""
    run = Run.of(context)
    found = need_repository(run.clients, run.config)
    run.check_account()
    run.reporter.result(
        _document(found),
        [
            f"repository   {found.uri}",
            f"arn          {found.arn}",
            f"tags         {_mutability(found)}",
            f"scan on push {'yes' if found.scan_on_push else 'no'}",
            f"encryption   {found.encryption}",
            f"created      {local_time(found.created_at) if found.created_at else 'unknown'}",
        ],
    )


def _mutability(repository: Repository) -> str:
    told = "immutable" if repository.immutable_tags else "mutable"
    if not repository.tag_exclusions:
        return told
    return f"{told}, but for {', '.join(repository.tag_exclusions)}"


def _document(repository: Repository) -> dict[str, object]:

    return {
        "repository": repository.name,
        "uri": str(repository.uri),
        "arn": repository.arn,
        "immutable_tags": repository.immutable_tags,
        "tag_exclusions": list(repository.tag_exclusions),
        "scan_on_push": repository.scan_on_push,
        "encryption": repository.encryption,
        "created_at": iso(repository.created_at),
    }
