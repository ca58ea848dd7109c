"""`images list`, `images show`, `images prune`: what is in the repository, and what may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.options import ChangingCommand, Command
from schoolctl.cli.run import Run
from schoolctl.errors import AccessDeniedError, NotFoundError, SchoolctlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.aws.image_use import ImageUse
    from schoolctl.execute import Outcome
    from schoolctl.model import Digest, Image, Repository
    from schoolctl.plan.prune import Family, PrunePlan, Use

app = typer.Typer(
    help="List images and delete those that nothing needs.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_FEW = 3
_SHORTEST_DIGEST = 6


@app.command("list", cls=Command)
def list_all(context: typer.Context) -> None:
    """List the images, newest first, and what uses each."""
    from schoolctl.aws.ecr import list_images, need_repository
    from schoolctl.plan.prune import family_of
    from schoolctl.text import ago, size

    run = Run.of(context)
    repository = need_repository(run.clients, run.config)
    images = list_images(run.clients, repository)
    uses = _uses_if_allowed(run, repository)
    run.check_account()
    family = family_of(images)
    now = run.clock.now()
    rows = [
        [
            image.digest.short,
            ", ".join(image.tags) or "-",
            size(image.size_bytes),
            ago(image.pushed_at, now),
            _users(image, uses) if uses is not None else "?",
        ]
        for image in family.own
    ]
    if not images:
        run.reporter.note(f"repository {repository.name} has no images; `schoolctl push` adds one")
    run.reporter.table(
        {
            "repository": str(repository.uri),
            "images": [_document(image, family, uses) for image in images],
        },
        ("DIGEST", "TAGS", "SIZE", "PUSHED", "IN USE BY"),
        rows,
        right=("SIZE",),
    )


@app.command("show", cls=Command)
def show(
    context: typer.Context,
    which: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A tag, or a digest or its first digits.")
    ],
) -> None:
    """Show one image: its digest, tags, size, commit, and what uses it."""
    from schoolctl.aws.ecr import list_images, need_repository
    from schoolctl.plan.prune import family_of
    from schoolctl.text import local_time, size

    run = Run.of(context)
    repository = need_repository(run.clients, run.config)
    images = list_images(run.clients, repository)
    image = _find(images, which, repository)
    uses = _uses_if_allowed(run, repository)
    labels = _labels(run, repository, image.digest)
    run.check_account()
    family = family_of(images)
    users = _users(image, uses) if uses is not None else "?"
    lines = [
        f"image     {repository.uri.at(image.digest)}",
        f"tags      {', '.join(image.tags) or '-'}",
        f"size      {size(image.size_bytes)}",
        f"pushed    {local_time(image.pushed_at)}",
        f"pulled    {local_time(image.pulled_at) if image.pulled_at else '-'}",
        f"in use by {users}",
        *(f"holds     {child}" for child in image.children),
        *(f"about it  {digest}" for digest in family.referrers.get(image.digest, ())),
        *(f"label     {key}={value}" for key, value in sorted((labels or {}).items())),
    ]
    document = _document(image, family, uses)
    run.reporter.result({**document, "labels": labels}, lines)


@app.command("prune", cls=ChangingCommand)
def prune(
    context: typer.Context,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, help="Keep the newest N images."),
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", metavar="D", min=0, help="Keep what is younger than D days."),
    ] = None,
    protect: Annotated[
        list[str] | None,
        typer.Option("--protect", metavar="GLOB", help="Keep tags like this, too."),
    ] = None,
) -> None:
    """Delete the images that nothing needs, and say of each image why it stays or goes."""
    from schoolctl.aws.ecr import list_images, need_repository
    from schoolctl.plan.prune import Rules, plan_prune

    run = Run.of(context)
    settings = run.config.images
    rules = Rules(
        keep=settings.keep if keep is None else keep,
        keep_days=settings.keep_days if keep_days is None else keep_days,
        protect=(*settings.protect, *(protect or ())),
    )
    repository = need_repository(run.clients, run.config)
    # The images first: one that is pushed and deployed while the uses are read is not judged.
    images = list_images(run.clients, repository)
    used = _observe(run, repository)
    decided = plan_prune(
        repository.uri,
        images,
        used.uses,
        rules,
        run.clock.now(),
        window=run.config.images.keep,
        outside=used.outside,
    )
    run.check_account()
    _report_verdicts(run, repository, decided)
    outcome = run.carry_out(decided.plan)
    if outcome is not None:
        _report_prune(run, decided, outcome)


def _observe(run: Run, repository: Repository) -> ImageUse:
    from schoolctl.aws.image_use import observe_everywhere

    return observe_everywhere(
        run.clients,
        repository.uri,
        [each.config for each in run.config_file.all().values()],
        run.connect,
        window=run.config.images.keep,
    )


def _uses_if_allowed(run: Run, repository: Repository) -> tuple[Use, ...] | None:
    """Give what uses the images; None, with a warning, where that may not be read."""
    try:
        return _observe(run, repository).uses
    except AccessDeniedError as error:
        run.reporter.warn(f"what uses the images is not known: {error.why}")
        return None


def _labels(run: Run, repository: Repository, digest: Digest) -> dict[str, str] | None:
    from schoolctl.aws.image_labels import image_labels

    architecture = run.config.image.platform.partition("/")[2]
    try:
        return dict(image_labels(run.clients, repository, digest, architecture=architecture))
    except SchoolctlError as error:
        run.reporter.warn(f"{error.what}: {error.why}")
        return None


def _find(images: Sequence[Image], which: str, repository: Repository) -> Image:
    digits = which.removeprefix("sha256:")
    found = [each for each in images if which in each.tags]
    if not found and len(digits) >= _SHORTEST_DIGEST:
        found = [each for each in images if each.digest.value[7:].startswith(digits)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{which} is the beginning of {len(found)} digests", hint="give more of its digits"
        )
    raise NotFoundError(
        f"image {which} is not in repository {repository.name}",
        why=f"none of its {len(images)} images has this tag or digest",
        hint="`schoolctl images list` shows those there are",
    )


def _used_by(image: Image, uses: Iterable[Use]) -> list[Use]:
    """Give the uses of an image, those of its children too: ECS names what an index led it to."""
    digests = {image.digest, *image.children}
    return [use for use in uses if use.digest in digests or use.tag in image.tags]


def _users(image: Image, uses: Iterable[Use]) -> str:
    from schoolctl.text import count

    found = _used_by(image, uses)
    names = dict.fromkeys(use.by for use in found if not use.by.startswith("task "))
    tasks = {use.by for use in found if use.by.startswith("task ")}
    shown = [*list(names)[:_FEW], *([f"{len(names) - _FEW} more"] if len(names) > _FEW else [])]
    if tasks:
        shown.append(count(len(tasks), "task"))
    return ", ".join(shown) or "-"


def _document(image: Image, family: Family, uses: Iterable[Use] | None) -> dict[str, object]:
    from schoolctl.text import iso

    used = None if uses is None else _used_by(image, uses)
    return {
        "digest": str(image.digest),
        "tags": list(image.tags),
        "size_bytes": image.size_bytes,
        "pushed_at": iso(image.pushed_at),
        "pulled_at": iso(image.pulled_at),
        "media_type": image.media_type,
        "archived": image.archived,
        "children": [str(each) for each in image.children],
        "referrers": [str(each) for each in family.referrers.get(image.digest, ())],
        "part_of": [str(each) for each in family.parents.get(image.digest, ())],
        "in_use_by": None if used is None else list(dict.fromkeys(use.by for use in used)),
    }


def _report_verdicts(run: Run, repository: Repository, decided: PrunePlan) -> None:
    from schoolctl.text import iso

    run.reporter.table(
        {
            "repository": str(repository.uri),
            "verdicts": [
                {
                    "digest": str(each.image.digest),
                    "tags": list(each.image.tags),
                    "size_bytes": each.image.size_bytes,
                    "pushed_at": iso(each.image.pushed_at),
                    "keep": each.keep,
                    "reasons": list(each.reasons),
                }
                for each in decided.verdicts
            ],
        },
        ("VERDICT", "DIGEST", "TAGS", "WHY"),
        [
            [
                "KEEP" if each.keep else "DELETE",
                each.image.digest.short,
                ", ".join(each.image.tags) or "-",
                _why(each.reasons),
            ]
            for each in decided.verdicts
        ],
    )


def _why(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _FEW} more" if len(reasons) > _FEW else ""
    return "; ".join(reasons[:_FEW]) + more


def _report_prune(run: Run, decided: PrunePlan, outcome: Outcome) -> None:
    from schoolctl.text import count

    going = decided.deleted
    failures = outcome.failures
    run.reporter.result(
        {
            "deleted": len(going) - len(failures),
            "size_bytes": sum(image.size_bytes for image in going),
            "failures": list(failures),
        },
        [f"deleted {count(len(going) - len(failures), 'image')}"] if going else [],
    )
    if failures:
        error = SchoolctlError(
            f"{count(len(failures), 'image')} of {len(going)} could not be deleted",
            why="\n".join(failures),
            hint="the others are gone; run it again to try these once more",
        )
        error.done = tuple(outcome.done)
        raise error
