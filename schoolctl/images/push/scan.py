"""Waits for ECR's scan of an image, and says what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.scan import read_scan
from schoolctl.base.errors import SchoolctlError, TimedOutError, UnknownOperationError
from schoolctl.base.text import count

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.images.push.steps import ReadScan
    from schoolctl.model.images import Digest
    from schoolctl.model.scan import Scan, Severity

_POLL_SECONDS = 2.0
_TO_BEGIN_SECONDS = 6.0
"""A scan on push is known to ECR a moment after the push."""


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
