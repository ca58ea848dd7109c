"""`build`, `push`, `pull`: an image on its way to and from ECR."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolctl.core.options import ChangingCommand
from schoolctl.core.run import Run
from schoolctl.docker.builder import BuilderChoice
from schoolctl.model.scan import Severity

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
    from schoolctl.images.push import project as releases
    from schoolctl.images.push.push import plan_build

    run = Run.of(context)
    if list_context:
        releases.list_context(run)
        return
    release, files = releases.read_release(run, tag)
    image = releases.repository_uri(run).tagged(release.tag)
    release = releases.prepare_build(
        run, release, files, secrets=secret or (), allow_stale_lock=allow_stale_lock
    )
    plan = plan_build(release, image, releases.look_locally(run, image, builder))
    outcome = run.carry_out(plan)
    if outcome is not None:
        run.reporter.result(
            {**releases.described(release, image), "built": bool(outcome.done)}, [str(image)]
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

    from schoolctl.images.push import project as releases
    from schoolctl.images.push.observe import PushObservation
    from schoolctl.images.push.push import ScanWish, is_pushed, plan_push, plan_pushed
    from schoolctl.model.images import parse_tag

    run = Run.of(context)
    wish = ScanWish(fail_on, scan_wait)
    if from_environment is not None:
        from schoolctl.base.errors import UsageError
        from schoolctl.images.push.promote_cli import promote

        if secret or allow_stale_lock:
            raise UsageError(
                "--from builds nothing, so that --secret and --allow-stale-lock mean nothing",
                hint="leave them out, or leave out --from",
            )
        promote(run, from_environment, tag, create_repo=create_repo, wish=wish)
        return
    asked = PushObservation(run.clients, run.config, parse_tag(tag) if tag is not None else None)
    release, files = releases.read_release(run, tag)
    repository, exists = asked.repository(may_be_missing=create_repo)
    image = repository.tagged(release.tag)
    there = asked.tagged(repository, release.tag)
    if there is not None and is_pushed(release, image, there):
        plan = plan_pushed(image, there, wish)
    else:
        release = releases.prepare_build(
            run, release, files, secrets=secret or (), allow_stale_lock=allow_stale_lock
        )
        local = releases.look_locally(run, image, builder)
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
            **releases.described(release, image),
            "digest": str(digest),
            "reference": str(reference),
            "pushed": outcome.pushed is not None,
            "sent_bytes": outcome.sent_bytes,
            "scan": releases.scan_document(outcome),
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
    from schoolctl.aws.ecr import find_image, need_repository
    from schoolctl.base.errors import NotFoundError, UsageError
    from schoolctl.base.plan import Plan
    from schoolctl.images.push.steps import PullImage
    from schoolctl.model.images import Digest, parse_tag

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
