"""The steps of build, push, copy, pull, login and repository creation, carried out."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import ecr
from schoolctl.aws.ecr_images import read_scan
from schoolctl.base.errors import (
    EngineError,
    NotFoundError,
    SchoolctlError,
    TimedOutError,
    UnknownOperationError,
)
from schoolctl.base.text import count, size
from schoolctl.docker import login as dockerlogin
from schoolctl.docker.context import read_context
from schoolctl.docker.engine import BuildRequest
from schoolctl.docker.errors import RegistryError
from schoolctl.docker.login import find_login_place
from schoolctl.docker.registry import Place, copy_image
from schoolctl.images.push.observe import observe_refusal
from schoolctl.images.push.refusal import Access, explain
from schoolctl.images.push.release import FINGERPRINT
from schoolctl.images.push.steps import (
    BuildImage,
    CopyImage,
    CreateRepository,
    PullImage,
    PushImage,
    ReadScan,
    StoreLogin,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.aws.ecr import Manifest
    from schoolctl.aws.session.clients import Clients
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.docker.engine import LocalImage, PushResult
    from schoolctl.images.push.steps import (
        AnyImageStep,
    )
    from schoolctl.model.images import Digest, ImageRef, RepositoryUri, Scan, Severity
    from schoolctl.output.reporter import View


_STEP_WIDTH = 100
# `Step 3/8 : RUN ...` of the classic builder, `#7 [build 2/4] RUN ...` of BuildKit.
_BUILD_STEP = re.compile(r"Step \d+/\d+ : .+|#\d+ \[(?:\S+ +)?\d+/\d+\] .+")
_POLL_SECONDS = 2.0
_TO_BEGIN_SECONDS = 6.0
"""A scan on push is known to ECR a moment after the push."""


def apply(step: AnyImageStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case CreateRepository():
            return create_repository(step, tools)
        case BuildImage():
            return build(step, tools)
        case PushImage():
            return push(step, tools, outcome)
        case CopyImage():
            return copy(step, tools, outcome)
        case ReadScan():
            return read(step, tools, outcome)
        case PullImage():
            return pull(step, tools)
        case StoreLogin():
            return store_login(step, tools)
        case _:
            assert_never(step)


def create_repository(step: CreateRepository, tools: Tools) -> str:
    """Create the repository; one that somebody made meanwhile is as good."""
    created = ecr.create_repository(tools.clients, tools.config, step.name, step.tags)
    return str(created.uri)


def build(step: BuildImage, tools: Tools) -> str:
    """Build the image from the very files that were judged and fingerprinted."""
    context = read_context(step.context, step.dockerfile, allow=tools.config.image.allow)
    context.check()
    fingerprint = context.fingerprint(build_args=step.build_args, platform=step.platform)
    if fingerprint != step.labels[FINGERPRINT]:
        raise SchoolctlError(
            f"{step.context} changed while the build was prepared",
            why="the files are no longer those that the image's fingerprint stands for",
            hint="run it again when nothing writes there",
        )
    request = BuildRequest(
        context=context,
        image=step.image,
        platform=step.platform,
        builder=step.builder,
        build_args=step.build_args,
        labels=step.labels,
        secrets=step.secrets,
    )
    started = tools.clock.monotonic()
    with tools.reporter.view() as view:
        built = tools.engine.build(request, lambda line: _tell_build(line, tools, view))
    return f"{size(built.size_bytes)} in {tools.clock.monotonic() - started:.1f} s"


def _tell_build(line: str, tools: Tools, view: View) -> None:
    if tools.reporter.verbose:
        tools.reporter.detail(line)
    elif _BUILD_STEP.fullmatch(line):
        # A RUN may go over many lines, which arrive as one with its indentation.
        view.update([f"  {shorten(line, _STEP_WIDTH, placeholder=' ...')}"])


def push(step: PushImage, tools: Tools, outcome: Outcome) -> str:
    """Push the image; done only when ECR names the digest that was pushed."""
    image = step.image
    local = _built_for_us(image, tools)
    # A token just got lasts for 12 hours, however long the build took.
    login = ecr.authorization(tools.clients, tools.config)
    party = _Party(image.repository, Access.UPLOAD, tools.clients)
    with _explained(party), tools.reporter.transfer() as transfer:
        result = tools.engine.push(image, login, transfer.update)
    manifest = _confirm(image, result.digest, tools)
    outcome.pushed = result.digest
    sent, reused = sent_and_reused(local, result, manifest)
    outcome.sent_bytes = sum(sent)
    return (
        f"{result.digest} confirmed by ECR, {size(sum(sent))} sent in"
        f" {count(len(sent), 'layer')}, {size(sum(reused))} were there"
    )


@dataclass(frozen=True)
class _Party:
    """A repository that a transfer uses, and the clients of its account."""

    repository: RepositoryUri
    access: Access
    clients: Clients


@contextmanager
def _explained(*parties: _Party) -> Iterator[None]:
    """Find out why a registry refuses the block's transfer: a bare 403 has many causes.

    An action that a registry names as missing is noted, as no client hears of it.

    Args:
        parties: the repositories; the engine does not say which one refused, so there is one.
    """
    try:
        yield
    except RegistryError as error:
        party = next((each for each in parties if each.repository == error.repository), parties[0])
        if error.action is not None:
            party.clients.denials.note(error.action)
            raise
        explained = _explain(error, party)
        if explained is None:
            raise
        raise explained from error


def _explain(error: RegistryError, party: _Party) -> EngineError | None:
    if error.refusal is None:
        return None
    try:
        facts = observe_refusal(party.clients, party.repository, error.refusal, party.access)
    except SchoolctlError:
        return None
    cause, cure = explain(facts)
    return EngineError(error.what, why=f"{error.why}\n{cause}", hint=cure)


def copy(step: CopyImage, tools: Tools, outcome: Outcome) -> str:
    """Copy an image between repositories; done only when ECR names its digest."""
    digest = step.source.digest
    if digest is None:
        raise AssertionError("an image is copied by its digest")
    config, clients = tools.clients_of(step.environment)
    source = Place(step.source.repository, ecr.authorization(clients, config))
    target = Place(step.image.repository, ecr.authorization(tools.clients, tools.config))
    parties = (
        _Party(target.repository, Access.UPLOAD, tools.clients),
        _Party(source.repository, Access.DOWNLOAD, clients),
    )
    with _explained(*parties), tools.reporter.transfer() as transfer:
        copied = copy_image(source, target, step.image, digest, transfer.update)
    _confirm(step.image, digest, tools)
    outcome.pushed = digest
    outcome.sent_bytes = sum(copied.sent.values())
    return (
        f"{digest} confirmed by ECR, {size(outcome.sent_bytes)} sent in"
        f" {count(len(copied.sent), 'blob')}, {size(sum(copied.reused.values()))} were there"
    )


def _confirm(image: ImageRef, pushed: Digest, tools: Tools) -> Manifest:
    """Give what ECR has under the tag; another image than was pushed is an error."""
    manifest = ecr.find_manifest(tools.clients, image.repository.name, tag=image.tag)
    if manifest is None or manifest.digest != pushed:
        there = manifest.digest if manifest else "no image"
        raise EngineError(
            f"the push of {image} cannot be confirmed",
            why=f"{pushed} was pushed, and ECR has {there} under the tag",
            hint="somebody else may have pushed the same tag; look at `schoolctl images list`",
        )
    return manifest


def _built_for_us(image: ImageRef, tools: Tools) -> LocalImage:
    local = tools.engine.image(str(image))
    if local is None:
        raise EngineError(
            f"the engine has no image {image}", hint="build it first: `schoolctl build`"
        )
    return local


def sent_and_reused(
    local: LocalImage, result: PushResult, manifest: Manifest
) -> tuple[list[int], list[int]]:
    """Give the compressed sizes in bytes of the layers that went up, and of those that were there.

    A push names layers by the digest of their uncompressed content, a manifest by that of what
    was sent; both have them in the same order.
    """
    names = _layer_names(local.layers, manifest)
    sent: list[int] = []
    reused: list[int] = []
    for name, layer_bytes in zip(names, manifest.layer_sizes, strict=True):
        (sent if name in result.sent else reused).append(layer_bytes)
    return sent, reused


def _layer_names(layers: Sequence[str], manifest: Manifest) -> list[str]:
    # With containerd's image store the engine speaks of the layers as they are sent.
    compressed = [str(each["digest"]) for each in manifest.content.get("layers", ())]
    named = layers if len(layers) == len(compressed) else compressed
    return [each.removeprefix("sha256:")[:12] for each in named]


def pull(step: PullImage, tools: Tools) -> str:
    """Pull the image, and compare its digest with the one that ECR has."""
    image = step.image
    login = ecr.authorization(tools.clients, tools.config)
    expected = image.digest
    if expected is None:
        manifest = ecr.find_manifest(tools.clients, image.repository.name, tag=image.tag)
        if manifest is None:
            raise NotFoundError(
                f"image {image} is not in the repository",
                hint="`schoolctl images list` shows those there are",
            )
        expected = manifest.digest
    party = _Party(image.repository, Access.DOWNLOAD, tools.clients)
    with _explained(party), tools.reporter.transfer() as transfer:
        pulled = tools.engine.pull(image, login, transfer.update)
    if expected not in pulled.digests:
        raise EngineError(
            f"another image was pulled than ECR has under {image}",
            why=f"ECR has {expected}; the engine has {', '.join(map(str, pulled.digests))}",
            hint="run it again",
        )
    return f"{expected}, {size(pulled.size_bytes)}"


def store_login(step: StoreLogin, tools: Tools) -> str:
    """Put the login where Docker looks for it."""
    place = find_login_place(step.login.registry, tools.environ)
    dockerlogin.store_login(step.login, place, tools.environ)
    return ""


def read(step: ReadScan, tools: Tools, outcome: Outcome) -> str:
    """Tell what the scan found; where nothing was to fail, nothing of it is an error."""
    digest = step.digest or outcome.pushed
    if digest is None:
        raise AssertionError("a scan is of an image that was pushed")
    try:
        scan = _wait(step, digest, tools)
    except UnknownOperationError:
        if step.fail_on is not None:
            raise
        return "not known: what answers knows no scans"  # a local AWS; nobody need be warned
    except SchoolctlError as error:
        if step.fail_on is not None:
            raise
        tools.reporter.warn(f"what ECR's scan found is not known: {error.what} ({error.why})")
        return "not known"
    outcome.scan = scan
    if step.fail_on is not None:
        _judge(scan, step.fail_on, digest, step)
    if scan.is_under_way:
        tools.reporter.note("ECR is still scanning the image: the same push with --fail-on waits")
        return "not known yet"
    for line in scan.worst:
        tools.reporter.note(f"  {line}")
    return scan.summary() if scan.is_done else scan.why_without_result


def _wait(step: ReadScan, digest: Digest, tools: Tools) -> Scan:
    begun = tools.clock.monotonic()
    while True:
        scan = read_scan(tools.clients, step.repository, digest)
        passed = tools.clock.monotonic() - begun
        limit = step.timeout_seconds
        if not scan.status:
            limit = min(limit, _TO_BEGIN_SECONDS)
        if not (scan.is_under_way or not scan.status) or passed >= limit:
            return scan
        tools.clock.sleep(min(_POLL_SECONDS, limit - passed))


def _judge(scan: Scan, limit: Severity, digest: Digest, step: ReadScan) -> None:
    what = f"image {digest.short} of {step.repository}"
    stays = "the image is in the repository, and nothing was deployed"
    if scan.is_under_way:
        raise TimedOutError(
            f"ECR is still scanning {what} after {step.timeout_seconds:.0f} s",
            why=stays,
            hint="run it again: what is pushed is not pushed twice; --scan-wait waits longer",
        )
    if not scan.is_done:
        raise SchoolctlError(
            f"ECR's scan says nothing of {what}, and --fail-on {limit} asks for it",
            why=scan.why_without_result,
            hint="`schoolctl repo show` tells whether the repository scans on push",
        )
    found = scan.too_bad(limit)
    if found:
        raise SchoolctlError(
            f"ECR's scan of {what} has {count(found, 'finding')} that are {limit} or worse",
            why="\n".join((f"{scan.summary()}; {stays}", *scan.worst)),
            hint="take a newer base image or library, and push that under a new tag",
        )
