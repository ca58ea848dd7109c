"""`taskdef render`, `diff`, `register`, `list`, `deregister`: revisions without a deployment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecs.services import (
    describe_revision,
    describe_revisions,
    list_revisions,
    list_tasks,
)
from schoolctl.base.errors import AccessDeniedError, ExitCode, NotFoundError
from schoolctl.base.plan import Plan
from schoolctl.base.text import iso, local_time
from schoolctl.core.locking import locked
from schoolctl.core.options import (
    AsRevision,
    ChangingCommand,
    Command,
    ExitWith10,
    ImageDigest,
    ImageTag,
    LockingCommand,
    Reveal,
)
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle, settle_secrets
from schoolctl.ecs_service.define.diff import definition_diff
from schoolctl.ecs_service.define.masking import masked
from schoolctl.ecs_service.define.observe import TaskObservation, no_revision, observe_present
from schoolctl.ecs_service.define.plan import DeployOptions
from schoolctl.ecs_service.define.planning import new_gaps, plan_choice, target_of_image
from schoolctl.ecs_service.define.target import (
    BY_TAG,
    COMMIT_TAG,
    TAG_TAG,
    image_label,
    parse_choice,
)
from schoolctl.ecs_service.define.task_definition import (
    container_image,
    parse_revision,
    plan_deregister,
)
from schoolctl.images.push.release import short_commit
from schoolctl.images.stored.observe import find_running
from schoolctl.model.services import TaskDefinitionRef
from schoolctl.params.freshness import oldest_start
from schoolctl.params.observe import SettingsObservation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.diff import Diff
    from schoolctl.ecs_service.define.target import ChosenImage, KeptImage, Target
    from schoolctl.model.services import Revision
    from schoolctl.params.freshness import Freshness


_LIMIT = 20

app = typer.Typer(
    help="Show and register task definitions.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("render", cls=Command)
def render(
    context: typer.Context, tag: ImageTag = None, digest: ImageDigest = None, reveal: Reveal = False
) -> None:
    """Print the task definition as AWS would get it; nothing is registered.

    Values that look like secrets are shown as *** unless --reveal is given.
    """
    run = Run.of(context)
    target, image = _target(run, tag, digest)
    run.check_account()
    run.reporter.note(image.describe(run.clock.now()))
    shown = target.definition if reveal else masked(target.definition)
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    run.reporter.result({"task_definition": shown}, [text])


@app.command("diff", cls=Command)
def diff(
    context: typer.Context,
    tag: ImageTag = None,
    digest: ImageDigest = None,
    before: Annotated[
        int | None,
        typer.Option("--from", metavar="N", min=1, help="Compare this revision, not what runs."),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=1, help="With this one, not what deploy registers."),
    ] = None,
    exit_code: ExitWith10 = False,
    reveal: Reveal = False,
) -> int:
    """Show how the task definition that runs differs from what deploy would register.

    --from and --to compare revisions that exist.
    """
    run = Run.of(context)
    old = _revision(run, before) if before is not None else _current(run)
    new: Revision | Target
    if after is not None:
        new = _revision(run, after)
    else:
        new, image = _target(run, tag, digest)
        run.reporter.note(image.describe(run.clock.now()))
    found = definition_diff(old, new, run.config.task.container)
    run.check_account()
    family = {"family": run.config.task.family}
    return report(run, found, family, reveal=reveal, exit_code=exit_code)


def _revision(run: Run, number: int) -> Revision:
    family = run.config.task.family
    found = describe_revision(run.clients, TaskDefinitionRef(family, number))
    if found is None:
        raise no_revision(family, number)
    return found


def _current(run: Run) -> Revision | None:
    """Give the revision that the service is at, else the newest; None where there is none."""
    _, present = observe_present(run.clients, run.config)
    return present.running or describe_revision(run.clients, run.config.task.family)


@app.command("register", cls=ChangingCommand)
def register(context: typer.Context, tag: ImageTag = None, digest: ImageDigest = None) -> None:
    """Register the task definition if it differs from the newest revision."""
    run = Run.of(context)
    target, image = _target(run, tag, digest)
    family = run.config.task.family
    plan = Plan(
        f"register {family} with {target.label}",
        target.registration(),
        nothing=f"nothing to do: {target.ref} is just this, with {target.label}",
        notes=(image.describe(run.clock.now()),),
    )
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    ref = outcome.registered or target.ref
    run.reporter.result(
        {
            "revision": str(ref),
            "registered": outcome.registered is not None,
            "image": str(image.reference),
            "tag": target.tag,
        },
        [str(ref)],
    )


def _target(
    run: Run, tag: str | None, digest: str | None
) -> tuple[Target, ChosenImage | KeptImage]:
    """Observe, and refuse to go on where anything is missing."""
    choice = parse_choice(tag, digest, None)
    settle_secrets(run)
    seen = TaskObservation(run.clients, run.config, choice)
    gaps = new_gaps(run)
    image = seen.image(gaps, keep=seen.newest())
    target = target_of_image(run, seen, image, gaps)
    gaps.refuse(f"make a task definition of {run.config.task.family}")
    if target is None or image is None:
        raise AssertionError("a target that cannot be made has a gap")
    for warning in gaps.warnings:
        run.reporter.warn(warning)
    return target, image


@app.command("list", cls=Command)
def list_all(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Show this many at most.")
    ] = _LIMIT,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Show the deregistered ones instead.")
    ] = False,
) -> None:
    """List the revisions of the family, newest first, with image and completion."""
    run = Run.of(context)
    config = run.config
    refs = list_revisions(run.clients, config.task.family, limit=limit, active=not inactive)
    revisions = describe_revisions(run.clients, refs)
    run.check_account()
    document = {
        "family": config.task.family,
        "revisions": [_document(each, config) for each in revisions],
    }
    if not revisions:
        run.reporter.result(document)
        run.reporter.note(
            f"{config.task.family} has no such revisions; `schoolctl deploy` makes one"
        )
        return
    run.reporter.table(
        document,
        ["REVISION", "STATUS", "REGISTERED", "IMAGE", "COMMIT", "COMPLETED"],
        [_row(each, config) for each in revisions],
    )


def _row(revision: Revision, config: Config) -> list[str]:
    digits = image_label(container_image(revision.definition, config.task.container))
    tag = revision.tags.get(TAG_TAG)
    return [
        str(revision.ref),
        "ACTIVE" if revision.active else "INACTIVE",
        local_time(revision.registered_at) if revision.registered_at else "-",
        f"{tag} ({digits})" if tag and tag != digits else digits,
        short_commit(revision.tags.get(COMMIT_TAG, "")) or "-",
        local_time(revision.completed_at) if revision.completed_at else "-",
    ]


def _document(revision: Revision, config: Config) -> dict[str, object]:
    return {
        "revision": str(revision.ref),
        "arn": revision.ref.arn,
        "status": "ACTIVE" if revision.active else "INACTIVE",
        "registered_at": iso(revision.registered_at),
        "image": container_image(revision.definition, config.task.container),
        "tag": revision.tags.get(TAG_TAG),
        "commit": revision.tags.get(COMMIT_TAG),
        "registered_by": revision.tags.get(BY_TAG),
        "completed_at": iso(revision.completed_at),
        "completed_again_at": iso(revision.completed_again_at),
    }


@app.command("deregister", cls=LockingCommand)
def deregister(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="REVISION", help="Its number, or FAMILY:NUMBER.")],
) -> None:
    """Make a revision INACTIVE, so that nobody deploys it; one in use is refused."""
    run = Run.of(context)
    ref = parse_revision(which, run.config.task.family)
    with locked(run):
        running = run.clients.start(find_running, run.clients)
        revision = describe_revision(run.clients, ref)
        if revision is None:
            raise NotFoundError(
                f"there is no revision {ref}", hint="`schoolctl taskdef list` shows those there are"
            )
        plan = plan_deregister(revision, running.result().get(revision.ref, ()), run.clock.now())
        run.check_account()
        outcome = run.carry_out(plan)
    if outcome is not None:
        run.reporter.result({"revision": str(ref), "deregistered": bool(plan.steps)})


diff_app = typer.Typer(rich_markup_mode=None)


@diff_app.command("diff", cls=Command)
def diff_service(
    context: typer.Context,
    tag: ImageTag = None,
    digest: ImageDigest = None,
    revision: AsRevision = None,
    exit_code: ExitWith10 = False,
    reveal: Reveal = False,
) -> int:
    """Show everything that deploy would change.

    Nothing for an unchanged service. Without a choice, the newest image that has a tag is
    compared, as deploy would take it.
    """
    run = Run.of(context)
    choice = parse_choice(tag, digest, revision)
    settle(run)
    found = plan_choice(run, choice, DeployOptions(only_look=True))
    config = run.config
    run.check_account()
    for warning in found.plan.warnings:
        run.reporter.warn(warning)
    for note in found.plan.notes:
        run.reporter.note(note)
    fresh = _freshness(run)
    for line in fresh.lines(run.clock.now()) if fresh is not None and fresh.changed else []:
        run.reporter.note(line)
    document = {
        "settings_read": fresh.document() if fresh is not None else None,
        "service": config.service.name,
        "cluster": config.service.cluster,
        "environment": config.environment,
    }
    return report(
        run, found.diff(config.task.container), document, reveal=reveal, exit_code=exit_code
    )


def _freshness(run: Run) -> Freshness | None:
    """Give which parameters and secrets changed since the tasks read them; None where none runs.

    It is no difference: a deploy that has nothing else to do starts no task for it.
    """
    where = run.config.service
    try:
        tasks = list_tasks(run.clients, where.cluster, service=where.name)
    except (AccessDeniedError, NotFoundError):
        return None
    if not tasks:
        return None
    return SettingsObservation(run.clients, run.config).since(oldest_start(tasks))


def report(
    run: Run, found: Diff, document: Mapping[str, object], *, reveal: bool, exit_code: bool
) -> int:
    """Give a diff, its lines on stdout; gives the exit code.

    Args:
        run: the run of the command.
        found: what differs.
        document: what JSON tells besides.
        reveal: whether values that look like secrets are shown.
        exit_code: whether differences have an exit code of their own.
    """
    if found.is_empty:
        run.reporter.note("no differences")
    run.reporter.result({**document, **found.document(reveal=reveal)}, found.lines(reveal=reveal))
    return ExitCode.DIFFERENCES if exit_code and not found.is_empty else ExitCode.DONE
