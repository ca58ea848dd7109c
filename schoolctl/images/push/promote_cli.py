"""`push --from`: a tested image, copied by digest into another environment's repository."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.images.push.project import scan_document

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome
    from schoolctl.core.run import Run
    from schoolctl.images.push.promote import TestedImage
    from schoolctl.images.push.push import ScanWish
    from schoolctl.model.images import ImageRef


def promote(
    run: Run, environment: str, tag: str | None, *, create_repo: bool, wish: ScanWish
) -> None:
    """Copy the image with `tag` from `environment` to the chosen environment."""
    from schoolctl.aws.ecr import authorization, find_manifest, find_repository, no_repository
    from schoolctl.base.errors import UsageError
    from schoolctl.images.push.observe_promotion import observe_tested
    from schoolctl.images.push.promote import plan_promotion
    from schoolctl.model.images import RepositoryUri

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
    from schoolctl.base.errors import UsageError
    from schoolctl.images.push.git import read_source
    from schoolctl.model.images import Source, parse_tag

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
    from schoolctl.images.push.git import is_on_branch
    from schoolctl.images.push.promote import Wanted, check_tested
    from schoolctl.model.images import NoSource

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
