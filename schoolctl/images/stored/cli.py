"""The commands `images list` and `images show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecr import find_repository, need_repository
from schoolctl.aws.ecr_images import list_images
from schoolctl.base.errors import AccessDeniedError, NotFoundError, UsageError
from schoolctl.base.text import ago, count, iso, local_time, size
from schoolctl.core.options import ChangingCommand, Command, LockingCommand
from schoolctl.core.run import Run
from schoolctl.images.push.release import REVISION, short_commit
from schoolctl.images.push.rules import plan_repository
from schoolctl.images.stored.family import Selection, Sort, UsesOf, family_of, select
from schoolctl.images.stored.observe import observe_everywhere, read_details
from schoolctl.images.stored.prune_cli import prune

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.images.stored.family import Family, Needs
    from schoolctl.images.stored.observe import ImageDetails
    from schoolctl.model.images import Digest, Image, Repository


app = typer.Typer(
    help="List images and delete those that nothing needs.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.command("prune", cls=LockingCommand)(prune)

_FEW = 3
_SHORTEST_DIGEST = 6
_AFFORDABLE = 20
"""So many images are looked into without being asked: a call to the registry for each."""


@dataclass(frozen=True)
class Seen:
    """What was read of a repository. `uses` is None where that is not known, or not asked for."""

    repository: Repository
    images: Sequence[Image]
    family: Family
    uses: UsesOf | None


@app.command("list", cls=Command)
def list_all(
    context: typer.Context,
    *,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", metavar="GLOB", help="Only those with a tag like this."),
    ] = None,
    untagged: Annotated[bool, typer.Option("--untagged", help="Only those without a tag.")] = False,
    unused: Annotated[bool, typer.Option("--unused", help="Only those that nothing uses.")] = False,
    sort: Annotated[
        Sort, typer.Option("--sort", help="By what; the newest or largest first.")
    ] = Sort.PUSHED,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Show this many at most.")
    ] = None,
    details: Annotated[
        bool | None,
        typer.Option(
            "--details/--no-details",
            help=f"Look into each for architecture and commit, as is done for up to {_AFFORDABLE}.",
            show_default=False,
        ),
    ] = None,
    no_use: Annotated[
        bool, typer.Option("--no-use", help="Do not look up what uses them.")
    ] = False,
) -> None:
    """List the images, newest first, and what uses each."""
    run = Run.of(context)
    if unused and no_use:
        raise UsageError("--unused and --no-use contradict each other", hint="leave one out")
    seen = _see(run, use=not no_use, must_know=unused)
    selection = Selection(tuple(tag or ()), untagged, unused, limit, sort)
    shown = select(seen.family.own, selection, seen.uses)
    wanted = len(shown) <= _AFFORDABLE if details is None else details
    inside = _look_inside(run, seen.repository, shown) if wanted else None
    run.check_account()
    if not shown:
        name = seen.repository.name
        run.reporter.note(
            f"repository {name} has {count(len(seen.images), 'image')}, and none is like that"
            if seen.images
            else f"repository {name} has no images; `schoolctl push` adds one"
        )
    columns = _columns(run, seen, inside, use=not no_use)
    run.reporter.table(
        {
            "repository": str(seen.repository.uri),
            "images": [_document(image, seen, inside) for image in shown],
        }
        if run.options.json
        else {},
        tuple(columns),
        [] if run.options.json else [[cell(each) for cell in columns.values()] for each in shown],
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
    run = Run.of(context)
    seen = _see(run, use=True)
    image = _find(seen.images, which, seen.repository)
    inside = _look_inside(run, seen.repository, [image])
    run.check_account()
    details = inside.get(image.digest)
    labels = dict(details.labels) if details else None
    commit = (labels or {}).get(REVISION)
    lines = [
        f"image     {seen.repository.uri.at(image.digest)}",
        f"tags      {', '.join(image.tags) or '-'}",
        f"size      {size(image.size_bytes)}",
        f"pushed    {local_time(image.pushed_at)}",
        f"pulled    {local_time(image.pulled_at) if image.pulled_at else '-'}",
        *(["status    archived"] if image.archived else []),
        f"runs on   {', '.join(details.architectures) or '-' if details else '?'}",
        *([f"commit    {commit}"] if commit else []),
        f"in use by {_users(image, seen)}",
        *(f"holds     {child}" for child in image.children),
        *(f"about it  {digest}" for digest in seen.family.referrers.get(image.digest, ())),
        *(f"part of   {digest}" for digest in seen.family.parents.get(image.digest, ())),
        *(f"label     {key}={value}" for key, value in sorted((labels or {}).items())),
    ]
    run.reporter.result({**_document(image, seen, inside), "labels": labels}, lines)


def _see(run: Run, *, use: bool, must_know: bool = False) -> Seen:
    """Read the repository, its images and their uses beside each other.

    Args:
        run: the run.
        use: whether to look up what uses the images.
        must_know: whether it is an error, and no warning, where that may not be read.
    """
    clients = run.clients
    # Its pages take longest: what is loaded and asked for after this goes on beside them.
    listing = clients.start(list_images, clients, run.config.image.repository)
    repository = clients.start(need_repository, clients, run.config)
    needs = clients.start(_needs(run, repository)) if use else None

    images = listing.result()
    family = family_of(images)
    uses: UsesOf | None = None
    if needs is not None:
        try:
            uses = UsesOf(needs.result().uses, family)
        except AccessDeniedError as error:
            if must_know:
                raise
            run.reporter.warn(f"what uses the images is not known: {error.why}")
    return Seen(repository.result(), images, family, uses)


def _needs(run: Run, repository: Future[Repository]) -> Callable[[], Needs]:
    """Give what finds out what uses the images, once the repository is known."""
    environments = [each.config for each in run.config_file.all().values()]

    def observe() -> Needs:
        return observe_everywhere(
            run.clients,
            repository.result().uri,
            environments,
            run.connect,
            window=run.config.images.keep,
        )

    return observe


def _look_inside(
    run: Run, repository: Repository, images: Sequence[Image]
) -> Mapping[Digest, ImageDetails]:
    """Give what stands inside images; what cannot be read is a warning, and is left out."""
    found = read_details(run.clients, run.config, repository, images)
    if found.failure is not None:
        run.reporter.warn(f"{found.failure.what}: {found.failure.why}")
    return found.details


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


def _columns(
    run: Run, seen: Seen, inside: Mapping[Digest, ImageDetails] | None, *, use: bool
) -> dict[str, Callable[[Image], str]]:
    """Give the headings of the table, each with what makes its cells."""
    now = run.clock.now()
    columns: dict[str, Callable[[Image], str]] = {
        "DIGEST": lambda image: image.digest.short,
        "TAGS": lambda image: (", ".join(image.tags) or "-") + " (archived)" * image.archived,
        "SIZE": lambda image: size(image.size_bytes),
        "PUSHED": lambda image: ago(image.pushed_at, now),
        "PULLED": lambda image: ago(image.pulled_at, now) if image.pulled_at else "-",
    }
    if inside is not None:
        columns["ARCH"] = lambda image: (
            ", ".join(inside[image.digest].architectures) or "-" if image.digest in inside else "?"
        )
        columns["COMMIT"] = lambda image: (
            short_commit(inside[image.digest].labels.get(REVISION, "")) or "-"
            if image.digest in inside
            else "?"
        )
    if use:
        columns["IN USE BY"] = lambda image: _users(image, seen, most=_FEW)
    return columns


def _users(image: Image, seen: Seen, *, most: int | None = None) -> str:
    if seen.uses is None:
        return "?"
    found = seen.uses.of(image)
    if not found:
        return "-"

    names = dict.fromkeys(use.by for use in found if not use.by.startswith("task "))
    tasks = {use.by for use in found if use.by.startswith("task ")}
    shown = list(names)[:most]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    if tasks:
        shown.append(count(len(tasks), "task"))
    return ", ".join(shown)


def _document(
    image: Image, seen: Seen, inside: Mapping[Digest, ImageDetails] | None
) -> dict[str, object]:
    details = inside.get(image.digest) if inside is not None else None
    used = None if seen.uses is None else seen.uses.of(image)
    return {
        "digest": str(image.digest),
        "tags": list(image.tags),
        "size_bytes": image.size_bytes,
        "pushed_at": iso(image.pushed_at),
        "pulled_at": iso(image.pulled_at),
        "media_type": image.media_type,
        "archived": image.archived,
        "architectures": list(details.architectures) if details else None,
        "commit": details.labels.get(REVISION) if details else None,
        "children": [str(each) for each in image.children],
        "referrers": [str(each) for each in seen.family.referrers.get(image.digest, ())],
        "part_of": [str(each) for each in seen.family.parents.get(image.digest, ())],
        "in_use_by": None if used is None else list(dict.fromkeys(use.by for use in used)),
    }


repo_app = typer.Typer(
    help="Create and show the ECR repository.", rich_markup_mode=None, no_args_is_help=True
)


@repo_app.command("create", cls=ChangingCommand)
def create_repository(context: typer.Context) -> None:
    """Create the repository: immutable tags, scan on push, encrypted."""
    run = Run.of(context)
    there = find_repository(run.clients, run.config)
    plan = plan_repository(run.config.image.repository, there)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    made = there or need_repository(run.clients, run.config)
    run.reporter.result({**_repository_document(made), "created": there is None}, [str(made.uri)])


@repo_app.command("show", cls=Command)
def show_repository(context: typer.Context) -> None:
    """Show the repository and its settings."""
    run = Run.of(context)
    found = need_repository(run.clients, run.config)
    run.check_account()
    run.reporter.result(
        _repository_document(found),
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


def _repository_document(repository: Repository) -> dict[str, object]:
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
