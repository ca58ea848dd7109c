"""The command `images prune`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecr import need_repository
from schoolctl.aws.ecr_images import list_images
from schoolctl.base.errors import SchoolctlError
from schoolctl.base.text import count, iso, size
from schoolctl.core.locking import locked, sharing
from schoolctl.core.options import parse_age
from schoolctl.core.run import Run
from schoolctl.images.stored.observe import observe_everywhere
from schoolctl.images.stored.rules import Rules, plan_prune, summary_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.core.executor import Outcome
    from schoolctl.images.stored.rules import PrunePlan, Reason
    from schoolctl.model.images import Repository

_FEW = 3
_FAILURES = 20
_MANY = 100
"""So many images are told in a summary; nobody reads on."""


def prune(
    context: typer.Context,
    *,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, help="Keep the newest N images."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="Delete only what is older: 30d, 12h, 0d."
        ),
    ] = None,
    protect: Annotated[
        list[str] | None,
        typer.Option("--protect", metavar="GLOB", help="Keep tags like this, too; repeatable."),
    ] = None,
    untagged: Annotated[
        bool, typer.Option("--untagged", help="Delete only images without a tag.")
    ] = False,
    deregister: Annotated[
        bool,
        typer.Option(
            "--deregister", help="Deregister old revisions that are left without their image, too."
        ),
    ] = False,
) -> None:
    """Delete the images that nothing needs, and say of each image why it stays or goes."""
    run = Run.of(context)
    settings = run.config.images
    rules = Rules(
        keep=settings.keep if keep is None else keep,
        keep_days=settings.keep_days if older_than is None else parse_age(older_than),
        protect=(*settings.protect, *(protect or ())),
        untagged_only=untagged,
    )
    _prune(run, rules, deregister=deregister)


def _prune(run: Run, rules: Rules, *, deregister: bool) -> None:
    clients = run.clients
    repository = need_repository(clients, run.config)
    # The images first: one that is pushed and deployed while the uses are read is not judged.
    images = list_images(clients, repository.name)
    needs = observe_everywhere(
        clients,
        repository.uri,
        [each.config for each in run.config_file.all().values()],
        run.connect,
        window=run.config.images.keep,
    )
    decided = plan_prune(
        repository.uri, images, needs, rules, run.clock.now(), deregister=deregister
    )
    run.check_account()
    _report_verdicts(run, repository, decided)
    # What was deployed until the locks are ours is seen by the plan's first step.
    with (
        locked(run, sharing(run, repository.uri.registry)) if decided.plan.steps else nullcontext()
    ):
        outcome = run.carry_out(decided.plan)
    if outcome is not None:
        _report_prune(run, decided, outcome, deregister=deregister)


def _report_verdicts(run: Run, repository: Repository, decided: PrunePlan) -> None:
    if run.options.json:
        run.reporter.result(_document(repository, decided))
    elif len(decided.verdicts) > _MANY and not run.options.verbose:
        _report_summary(run, decided)
    else:
        run.reporter.table(
            {},
            ("VERDICT", "DIGEST", "TAGS", "WHY"),
            [
                [
                    "KEEP" if each.keep else "DELETE",
                    each.image.digest.short,
                    ", ".join(each.image.tags) or "-",
                    _few(each.reasons),
                ]
                for each in decided.verdicts
            ],
        )


def _document(repository: Repository, decided: PrunePlan) -> dict[str, object]:
    return {
        "repository": str(repository.uri),
        "verdicts": [
            {
                "digest": str(each.image.digest),
                "tags": list(each.image.tags),
                "size_bytes": each.image.size_bytes,
                "pushed_at": iso(each.image.pushed_at),
                "keep": each.keep,
                "reasons": list(map(str, each.reasons)),
            }
            for each in decided.verdicts
        ],
        "stranded_revisions": list(map(str, decided.stranded)),
    }


def _report_summary(run: Run, decided: PrunePlan) -> None:
    """Give a line for each kind of reason; each image counts once, with its main reason."""
    run.reporter.table(
        {},
        ("VERDICT", "IMAGES", "SIZE", "WHY"),
        [
            ["KEEP" if each.keep else "DELETE", str(each.images), size(each.size_bytes), each.why]
            for each in summary_of(decided.verdicts)
        ],
        right=("IMAGES", "SIZE"),
    )
    run.reporter.note("add --verbose to see each image")


def _few(reasons: Sequence[Reason]) -> str:
    more = f"; and {len(reasons) - _FEW} more" if len(reasons) > _FEW else ""
    return "; ".join(map(str, reasons[:_FEW])) + more


def _report_prune(run: Run, decided: PrunePlan, outcome: Outcome, *, deregister: bool) -> None:
    going = decided.deleted
    failures = outcome.failures
    gone = set(outcome.deleted)
    revisions = decided.stranded if deregister else ()
    lines = [f"deleted {count(len(gone), 'image')}"] if going else []
    if revisions:
        lines.append(f"deregistered {count(len(revisions), 'revision')}")
    run.reporter.result(
        {
            "deleted": len(gone),
            "size_bytes": sum(each.size_bytes for each in going if each.digest in gone),
            "deregistered": list(map(str, revisions)),
            "failures": failures,
        },
        lines,
    )
    if failures:
        more = [f"and {len(failures) - _FAILURES} more"] if len(failures) > _FAILURES else []
        error = SchoolctlError(
            f"{count(len(failures), 'image')} of {len(going)} could not be deleted",
            why="\n".join([*failures[:_FAILURES], *more]),
            hint="the others are gone; run it again to try these once more",
        )
        error.done = tuple(outcome.done)
        raise error
