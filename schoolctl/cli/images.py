"""`build`, `push`, `pull`: an image on its way to and from ECR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.builder import BuilderChoice
from schoolctl.cli.options import ChangingCommand
from schoolctl.cli.run import Run

if TYPE_CHECKING:
    from schoolctl.model import ImageRef, RepositoryUri
    from schoolctl.plan.push import LocalBuild, Release

app = typer.Typer(rich_markup_mode=None)

Tag = Annotated[
    str | None,
    typer.Option("--tag", "-t", metavar="TAG", help="The image's tag; without it, the commit."),
]
Choice = Annotated[
    BuilderChoice,
    typer.Option("--builder", help="Which builder; auto takes BuildKit if there is one."),
]


@app.command("build", cls=ChangingCommand)
def build(context: typer.Context, tag: Tag = None, builder: Choice = BuilderChoice.AUTO) -> None:
    """Build the image for the platform that the tasks run on."""
    from schoolctl.plan.push import plan_build

    run = Run.of(context)
    release = read_release(run, tag)
    image = repository_uri(run).tagged(release.tag)
    outcome = run.carry_out(plan_build(release, image, look_locally(run, image, builder)))
    if outcome is not None:
        run.reporter.result(
            {**_described(release, image), "built": bool(outcome.done)}, [str(image)]
        )


@app.command("push", cls=ChangingCommand)
def push(
    context: typer.Context,
    tag: Tag = None,
    builder: Choice = BuilderChoice.AUTO,
    create_repo: Annotated[
        bool, typer.Option("--create-repo", help="Create the repository if there is none.")
    ] = False,
) -> None:
    """Build the image and push it to ECR, logged in, digest verified."""
    from schoolctl.aws.observe_push import PushObservation
    from schoolctl.model import parse_tag
    from schoolctl.plan.push import is_pushed, plan_push, plan_pushed

    run = Run.of(context)
    asked = PushObservation(run.clients, run.config, parse_tag(tag) if tag is not None else None)
    release = read_release(run, tag)
    repository, exists = asked.repository(may_be_missing=create_repo)
    image = repository.tagged(release.tag)
    there = asked.tagged(repository, release.tag)
    if there is not None and is_pushed(release, image, there):
        plan = plan_pushed(image, there)
    else:
        local = look_locally(run, image, builder)
        plan = plan_push(release, image, local, create_repository=not exists)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    digest = outcome.pushed or (there.digest if there else None)
    if digest is None:
        raise AssertionError("a push that did not fail has a digest")
    reference = repository.at(digest)
    run.reporter.result(
        {
            **_described(release, image),
            "digest": str(digest),
            "reference": str(reference),
            "pushed": outcome.pushed is not None,
            "sent_bytes": outcome.sent_bytes,
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
    from schoolctl.errors import NotFoundError, UsageError
    from schoolctl.model import Digest, parse_tag
    from schoolctl.plan.steps import Plan, PullImage

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


def read_release(run: Run, tag: str | None) -> Release:
    """Read what would be built, and refuse what must not be: secrets, a forbidden branch."""
    from schoolctl.build_context import read_context
    from schoolctl.model import Source
    from schoolctl.plan.push import Release
    from schoolctl.plan.release import check_git, choose_tag
    from schoolctl.source import read_source

    config = run.config
    root, dockerfile = run.resolved.context_path, run.resolved.dockerfile_path
    if tag is not None:
        choose_tag(tag, None, dirty=False, fingerprint="")  # a bad tag ends it before all else
    found = read_context(root, dockerfile, allow=config.image.allow)
    source = read_source(root, [root, dockerfile], run.services.environ)
    check_git(
        source, branch=config.git.branch, clean=config.git.clean, environment=config.environment
    )
    found.check()
    fingerprint = found.fingerprint(
        build_args=config.image.build_args, platform=config.image.platform
    )
    known = source if isinstance(source, Source) else None
    return Release(
        tag=choose_tag(
            tag,
            known.short if known else None,
            dirty=bool(known and known.changed),
            fingerprint=fingerprint,
        ),
        source=source,
        context=root,
        context_bytes=found.size_bytes,
        dockerfile=dockerfile,
        platform=config.image.platform,
        build_args=config.image.build_args,
        fingerprint=fingerprint,
    )


def look_locally(run: Run, image: ImageRef, builder: BuilderChoice) -> LocalBuild:
    """See which builder the engine has, and whether it has the image already."""
    from schoolctl.plan.push import LocalBuild

    found = run.engine.image(str(image))
    return LocalBuild(
        run.engine.builder(builder),
        labels=found.labels if found else None,
        platform=found.platform if found else "",
    )


def repository_uri(run: Run) -> RepositoryUri:
    """Give where the environment's images go; AWS is asked only where the account is not pinned."""
    from schoolctl.aws.ecr import authorization
    from schoolctl.model import RepositoryUri
    from schoolctl.partitions import partition_of

    config = run.config
    registry = config.registry
    if registry is None and config.account is not None:
        region = str(run.connection.region.value)
        registry = f"{config.account}.dkr.ecr.{region}.{partition_of(region).host_suffix}"
    if registry is None:
        registry = authorization(run.clients).registry
    return RepositoryUri(registry, config.image.repository)


def _described(release: Release, image: ImageRef) -> dict[str, object]:
    return {
        "image": str(image),
        "tag": release.tag,
        "platform": release.platform,
        "fingerprint": release.fingerprint,
        "commit": getattr(release.source, "commit", None),
        "context_bytes": release.context_bytes,
    }
