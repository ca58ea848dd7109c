"""The commands `build`, `push`, `pull` and `login`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecr import (
    authorization,
    find_image,
    find_manifest,
    find_repository,
    need_repository,
    no_repository,
)
from schoolctl.base.errors import NotFoundError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import duration, iso, local_time
from schoolctl.core.options import ChangingCommand
from schoolctl.core.run import Run
from schoolctl.docker.login import find_login_place
from schoolctl.images.push import project
from schoolctl.images.push.git import is_on_branch, read_source
from schoolctl.images.push.observe import PushObservation, observe_tested
from schoolctl.images.push.project import scan_document
from schoolctl.images.push.promote import Wanted, check_tested, plan_promotion
from schoolctl.images.push.rules import ScanWish, is_pushed, plan_build, plan_push, plan_pushed
from schoolctl.images.push.steps import PullImage, StoreLogin
from schoolctl.model.images import (
    BuilderChoice,
    Digest,
    NoSource,
    RepositoryUri,
    Severity,
    Source,
    parse_tag,
)

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome
    from schoolctl.images.push.promote import TestedImage
    from schoolctl.model.images import ImageRef


app = typer.Typer(rich_markup_mode=None)

Tag = Annotated[
    str | None,
    typer.Option("--tag", "-t", metavar="TAG", help="The image's tag; without it, the commit."),
]
Choice = Annotated[
    BuilderChoice,
    typer.Option("--builder", help="Which builder; auto takes BuildKit if there is one."),
]


Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="id=ID,src=FILE|env=NAME",
        help="What RUN --mount=type=secret may read; needs BuildKit.",
    ),
]
AllowStaleLock = Annotated[
    bool,
    typer.Option("--allow-stale-lock", help="Build with a lock file that is out of step."),
]
FailOn = Annotated[
    Severity | None,
    typer.Option("--fail-on", help="Fail if ECR's scan finds something as bad as this."),
]


@app.command("build", cls=ChangingCommand)
def build(
    context: typer.Context,
    tag: Tag = None,
    builder: Choice = BuilderChoice.AUTO,
    secret: Secrets = None,
    allow_stale_lock: AllowStaleLock = False,
    list_context: Annotated[
        bool, typer.Option("--list-context", help="List what would be sent, and build nothing.")
    ] = False,
) -> None:
    """Build the image for the platform that the tasks run on."""
    run = Run.of(context)
    if list_context:
        project.list_context(run)
        return
    release, files = project.read_release(run, tag)
    image = project.repository_uri(run).tagged(release.tag)
    release = project.prepare_build(
        run, release, files, secrets=secret or (), allow_stale_lock=allow_stale_lock
    )
    plan = plan_build(release, image, project.look_locally(run, image, builder))
    outcome = run.carry_out(plan)
    if outcome is not None:
        run.reporter.result(
            {**project.described(release, image), "built": bool(outcome.done)}, [str(image)]
        )


@app.command("push", cls=ChangingCommand)
def push(  # noqa: PLR0917  # an option each
    context: typer.Context,
    tag: Tag = None,
    builder: Choice = BuilderChoice.AUTO,
    secret: Secrets = None,
    allow_stale_lock: AllowStaleLock = False,
    create_repo: Annotated[
        bool, typer.Option("--create-repo", help="Create the repository if there is none.")
    ] = False,
    from_environment: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="ENV", help="Copy ENV's image of that tag, by digest; build nothing."
        ),
    ] = None,
    fail_on: FailOn = None,
    scan_wait: Annotated[
        float | None,
        typer.Option(
            "--scan-wait",
            metavar="SECONDS",
            min=0,
            max=3600,
            help="Wait so long for the scan, else 30, or 300 with --fail-on.",
        ),
    ] = None,
) -> None:
    """Build the image and push it to ECR, logged in, digest verified."""
    from dataclasses import replace

    run = Run.of(context)
    wish = ScanWish(fail_on, scan_wait)
    if from_environment is not None:
        if secret or allow_stale_lock:
            raise UsageError(
                "--from builds nothing, so that --secret and --allow-stale-lock mean nothing",
                hint="leave them out, or leave out --from",
            )
        promote(run, from_environment, tag, create_repo=create_repo, wish=wish)
        return
    asked = PushObservation(run.clients, run.config, parse_tag(tag) if tag is not None else None)
    release, files = project.read_release(run, tag)
    repository, exists = asked.repository(may_be_missing=create_repo)
    image = repository.tagged(release.tag)
    there = asked.tagged(repository, release.tag)
    if there is not None and is_pushed(release, image, there):
        plan = plan_pushed(image, there, wish)
    else:
        release = project.prepare_build(
            run, release, files, secrets=secret or (), allow_stale_lock=allow_stale_lock
        )
        local = project.look_locally(run, image, builder)
        wish = replace(wish, scans_on_push=asked.scans_on_push())
        plan = plan_push(release, image, local, create_repository=not exists, wish=wish)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    digest = outcome.pushed or (there.digest if there else None)
    if digest is None:
        raise AssertionError("a push that did not fail has a digest")
    reference = repository.at(digest)
    run.reporter.result(
        {
            **project.described(release, image),
            "digest": str(digest),
            "reference": str(reference),
            "pushed": outcome.pushed is not None,
            "sent_bytes": outcome.sent_bytes,
            "scan": project.scan_document(outcome),
        },
        [str(image), str(reference)],
    )


@app.command("pull", cls=ChangingCommand)
def pull(
    context: typer.Context,
    tag: Annotated[
        str | None, typer.Option("--tag", "-t", metavar="TAG", help="The image's tag.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--digest", metavar="DIGEST", help="The image's digest.")
    ] = None,
) -> None:
    """Pull an image from ECR, logged in."""
    run = Run.of(context)
    if (tag is None) == (digest is None):
        raise UsageError(
            "say which image: --tag or --digest",
            hint="`schoolctl images list` shows those there are",
        )
    wanted_tag = parse_tag(tag) if tag is not None else None
    wanted_digest = Digest.parse(digest) if digest is not None else None
    repository = need_repository(run.clients, run.config)
    found = find_image(run.clients, repository, tag=wanted_tag, digest=wanted_digest)
    if found is None:
        raise NotFoundError(
            f"image {tag or digest} is not in repository {repository.name}",
            why=f"ECR has no such image ({run.clients.region})",
            hint="`schoolctl images list` shows those there are",
        )
    image = repository.uri.tagged(wanted_tag) if wanted_tag else repository.uri.at(found.digest)
    outcome = run.carry_out(Plan(f"pull {image}", (PullImage(image),), quiet=True, local=True))
    if outcome is not None:
        run.reporter.result({"image": str(image), "digest": str(found.digest)}, [str(image)])


def promote(
    run: Run, environment: str, tag: str | None, *, create_repo: bool, wish: ScanWish
) -> None:
    """Copy the image with `tag` from `environment` to the chosen environment."""
    config = run.config
    if environment == config.environment:
        raise UsageError(
            f"--from names {environment}, the environment that is pushed to",
            hint="name the environment that the image was tested in, and with --env the other",
        )
    tag = _tag(run, tag)
    name = config.image.repository
    asked = run.clients.start(find_repository, run.clients, config)
    tagged = run.clients.start(find_manifest, run.clients, name, tag=tag)
    source_config, source_clients = run.clients_of(environment)
    tested = observe_tested(source_clients, source_config, tag, platform=config.image.platform)
    repository, there = asked.result(), tagged.result()
    if repository is None and not create_repo:
        raise no_repository(name, run.clients.region)
    uri = repository.uri if repository else None
    uri = uri or RepositoryUri(authorization(run.clients, config).registry, name)
    _check(run, tested)
    plan = plan_promotion(
        tested,
        uri.tagged(tag),
        there.digest if there else None,
        create_repository=repository is None,
        wish=replace(wish, scans_on_push=repository is None or repository.scan_on_push),
    )
    outcome = run.carry_out(plan)
    if outcome is not None:
        _report(run, tested, uri.tagged(tag), outcome)


def _tag(run: Run, tag: str | None) -> str:
    """Give the tag that was asked for, else the commit that is checked out."""
    if tag is not None:
        return parse_tag(tag)
    resolved = run.resolved
    root, dockerfile = resolved.context_path, resolved.dockerfile_path
    source = read_source(root, [root, dockerfile], run.services.environ)
    if isinstance(source, Source) and not source.changed:
        return source.short
    raise UsageError(
        "no tag was given, and the files here are not those of a commit",
        hint="say which image it is with --tag; `schoolctl images list` shows those there are",
    )


def _check(run: Run, tested: TestedImage) -> None:
    config = run.config
    on_branch: bool | NoSource | None = None
    commit = tested.revision.partition("-")[0]
    if config.git.branch is not None and commit:
        on_branch = is_on_branch(
            run.resolved.context_path, commit, config.git.branch, run.services.environ
        )
    unknown = on_branch if isinstance(on_branch, NoSource) else None
    check_tested(
        tested,
        Wanted(config.environment, config.image.platform, config.git.branch, config.git.clean),
        on_branch=on_branch if isinstance(on_branch, bool) else None,
        reason=f"git cannot tell whether it has commit {commit}: {unknown.reason}"
        if unknown
        else "",
    )


def _report(run: Run, tested: TestedImage, image: ImageRef, outcome: Outcome) -> None:
    digest = tested.reference.digest
    if digest is None:
        raise AssertionError("a tested image has a digest")
    reference = image.repository.at(digest)
    run.reporter.result(
        {
            "image": str(image),
            "tag": image.tag,
            "from": tested.environment,
            "source": str(tested.reference),
            "commit": tested.revision or None,
            "digest": str(digest),
            "reference": str(reference),
            "pushed": outcome.pushed is not None,
            "sent_bytes": outcome.sent_bytes,
            "scan": scan_document(outcome),
        },
        [str(image), str(reference)],
    )


@app.command("login", cls=ChangingCommand)
def login(context: typer.Context) -> None:
    """Log Docker in to ECR, for pushes by hand."""
    run = Run.of(context)
    token = authorization(run.clients, run.config)
    place = find_login_place(token.registry, run.services.environ)
    nothing = f"nothing to do: Docker asks {place} for {token.registry}, which gets its own tokens"
    steps = () if place.needs_no_login else (StoreLogin(token, str(place)),)
    plan = Plan(f"log in to {token.registry}", steps, nothing=nothing, quiet=True, local=True)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    left = (token.expires_at - run.clock.now()).total_seconds()
    document = {"registry": token.registry, "stored_in": str(place), "stored": bool(steps)}
    if not steps:
        run.reporter.result(document)
        return
    if not place.helper:
        run.reporter.note(
            "the file holds the token as it is: `credsStore` in it names a safer place"
        )
    until = f"{local_time(token.expires_at)} (for {duration(left)})"
    run.reporter.result(
        {**document, "expires_at": iso(token.expires_at)},
        [f"logged in to {token.registry} until {until}"],
    )
