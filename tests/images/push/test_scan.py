"""`push` and ECR's scan: told where there is one, decided by it where that was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.worlds.shop import NAME, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws, Project
    from tests.faults import Faults

READ = "DescribeImageScanFindings"


@pytest.fixture
def shop(faults: Faults, aws: Aws, project: Project) -> Iterator[Shop]:
    """Set up a repository that scans on push."""
    del faults
    opened = Shop.open(aws, project)
    opened.ecr.put_image_scanning_configuration(
        repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}
    )
    yield opened
    opened.registry.stop()


def scan(status: str, counts: dict[str, int] | None = None, **findings: Any) -> bytes:
    """Give ECR's answer of a scan."""
    found = {"findingSeverityCounts": counts or {}, **findings}
    return json.dumps(
        {
            "repositoryName": NAME,
            "imageId": {},
            "imageScanStatus": {"status": status, "description": "said ECR"},
            "imageScanFindings": found,
        }
    ).encode()


GRAVE = scan(
    "COMPLETE",
    {"HIGH": 2, "CRITICAL": 1, "INFORMATIONAL": 4},
    findings=[
        {"name": "CVE-1", "severity": "HIGH"},
        {
            "name": "CVE-2",
            "severity": "CRITICAL",
            "attributes": [
                {"key": "package_version", "value": "1.1"},
                {"key": "package_name", "value": "openssl"},
            ],
        },
    ],
)


def test_what_the_scan_found_is_told(faults: Faults, shop: Shop) -> None:
    faults.answer_with(READ, scan("PENDING"), status=200)
    faults.answer_with(READ, scan("IN_PROGRESS"), status=200)
    faults.answer_with(READ, GRAVE, status=200)

    done = shop.run("push", "--tag", "1.0", "--json")

    assert done.exit_code == 0
    assert "1 critical, 2 high, 4 informational" in done.stderr
    assert "  CVE-2 (critical) openssl 1.1\n  CVE-1 (high)\n" in done.stderr
    assert json.loads(done.stdout)["scan"] == {
        "status": "COMPLETE",
        "counts": {"high": 2, "critical": 1, "informational": 4},
    }


@pytest.mark.parametrize(
    ("limit", "exit_code"), [("critical", 1), ("high", 1), ("medium", 1), ("low", 1)]
)
def test_findings_as_bad_as_the_limit_are_an_error(
    faults: Faults, shop: Shop, limit: str, exit_code: int
) -> None:
    faults.answer_with(READ, GRAVE, status=200)

    done = shop.run("push", "--tag", "1.0", "--fail-on", limit)

    assert done.exit_code == exit_code
    assert f"that are {limit} or worse" in done.stderr
    assert "CVE-2 (critical) openssl 1.1" in done.stderr
    assert set(shop.tags()) == {"1.0"}  # pushed it is, and the error says so
    assert "the image is in the repository" in done.stderr


def test_findings_below_the_limit_pass(faults: Faults, shop: Shop) -> None:
    faults.answer_with(READ, scan("ACTIVE", {"MEDIUM": 3}), status=200)

    done = shop.run("push", "--tag", "1.0", "--fail-on", "high")

    assert done.exit_code == 0
    assert "3 medium" in done.stderr


def test_what_is_pushed_already_is_judged_again(faults: Faults, shop: Shop) -> None:
    faults.answer_with(READ, scan("COMPLETE"), status=200)
    shop.push("1.0", "1")
    shop.engine.builds.clear()
    faults.answer_with(READ, GRAVE, status=200)

    done = shop.run("push", "--tag", "1.0", "--fail-on", "critical")

    assert done.exit_code == 1
    assert shop.engine.builds == []


@pytest.mark.parametrize(
    "status", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE", "SCAN_ELIGIBILITY_EXPIRED"]
)
def test_a_scan_without_a_result_is_told_and_no_reason_to_pass(
    faults: Faults, shop: Shop, status: str
) -> None:
    faults.answer_with(READ, scan(status), status=200)
    told = shop.run("push", "--tag", "1.0")
    faults.answer_with(READ, scan(status), status=200)
    judged = shop.run("push", "--tag", "1.0", "--fail-on", "critical")

    assert (told.exit_code, judged.exit_code) == (0, 1)
    assert "said ECR" in told.stderr
    assert "said ECR" in judged.stderr


def test_a_scan_that_takes_too_long_is_a_time_out(faults: Faults, shop: Shop) -> None:
    faults.always(READ, lambda exchange: exchange.reply(200, scan("IN_PROGRESS")))

    told = shop.run("push", "--tag", "1.0")
    judged = shop.run("push", "--tag", "1.0", "--fail-on", "critical", "--scan-wait", "20")

    assert (told.exit_code, judged.exit_code) == (0, 7)
    assert "ECR is still scanning the image" in told.stderr
    assert "after 20 s" in judged.stderr


def test_a_repository_without_a_scan_waits_a_moment_alone(shop: Shop) -> None:
    told = shop.run("push", "--tag", "1.0")
    judged = shop.run("push", "--tag", "1.0", "--fail-on", "critical")

    assert (told.exit_code, judged.exit_code) == (0, 1)
    assert "ECR knows of no scan of the image" in judged.stderr
    assert shop.project.services.clock.monotonic() < 20


def test_a_scan_that_may_not_be_read_is_a_warning(faults: Faults, shop: Shop) -> None:
    denied = "User: u is not authorized to perform: ecr:DescribeImageScanFindings"
    faults.answer(READ, "AccessDeniedException", denied)
    told = shop.run("push", "--tag", "1.0")
    faults.answer(READ, "AccessDeniedException", denied)
    judged = shop.run("push", "--tag", "1.0", "--fail-on", "critical")

    assert (told.exit_code, judged.exit_code) == (0, 1)
    assert "warning: what ECR's scan found is not known" in told.stderr
    assert "ecr:DescribeImageScanFindings" in judged.stderr


def test_an_aws_that_knows_no_scans_is_no_warning(faults: Faults, shop: Shop) -> None:
    faults.answer(READ, "UnknownOperationException", "Unknown action")
    told = shop.run("push", "--tag", "1.0")
    faults.answer(READ, "UnknownOperationException", "Unknown action")
    judged = shop.run("push", "--tag", "1.0", "--fail-on", "critical")

    assert (told.exit_code, judged.exit_code) == (0, 1)
    assert "warning" not in told.stderr
    assert "what answers knows no scans" in told.stderr


def test_no_scan_is_asked_for_where_the_repository_has_none(faults: Faults, shop: Shop) -> None:
    shop.ecr.put_image_scanning_configuration(
        repositoryName=NAME, imageScanningConfiguration={"scanOnPush": False}
    )

    document = json.loads(shop.run("push", "--tag", "1.0", "--json").stdout)
    shop.run("push", "--tag", "1.0")

    assert document["scan"] is None
    assert READ not in faults.calls
