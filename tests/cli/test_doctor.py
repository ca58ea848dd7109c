"""`doctor` in accounts that are not as they should be: what fails, is skipped, is told."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.cli.checks import CHECKS
from tests.cli.account import Account, edit
from tests.fake_engine import FakeEngine
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults


def doctor(project: Project, *args: str, ahead: float = 0) -> Result:
    """Run it on a machine with an engine, whose clock is so many seconds ahead."""
    clock = FakeClock(datetime.now(UTC) + timedelta(seconds=ahead))
    return project.invoke("doctor", *args, clock=clock, engine=FakeEngine())


def findings(project: Project, *args: str, ahead: float = 0) -> dict[str, dict[str, Any]]:
    """Give its checks by name."""
    done = doctor(project, *args, "--json", ahead=ahead)
    return {each["name"]: each for each in json.loads(done.stdout)["checks"]}


def at(found: dict[str, dict[str, Any]], level: str) -> list[str]:
    """Give the names of the checks that ended so."""
    return [name for name, each in found.items() if each["level"] == level]


@pytest.fixture
def account(aws: Aws, project: Project) -> Account:
    """Give an account with all that is documented, and a project that can be built."""
    (project.directory / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    (project.directory / ".dockerignore").write_text("*\n!file\n")
    (project.directory / "file").write_text("hello")
    made = Account(aws, balancer=True)
    made.push("1.0")
    return made


def test_every_name_is_there_once_and_after_what_it_needs() -> None:
    seen: list[str] = []
    for check in CHECKS:
        assert set(check.needs) <= set(seen), check.name
        assert check.name not in seen
        seen.append(check.name)


def test_the_table_names_level_check_and_finding_below_their_group(
    project: Project, account: Account
) -> None:
    account.ecr.put_image_tag_mutability(
        repositoryName="schoolapp-backend", imageTagMutability="MUTABLE"
    )

    done = doctor(project, "--only", "image")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "image",
        (
            "  OK    repository"
            "  123456789012.dkr.ecr.us-east-1.amazonaws.com/schoolapp-backend, encrypted (AES256)"
        ),
        "  WARN  tag rule    has mutable tags: another tool can move a tag to other content",
        (
            "        cure: `aws ecr put-image-tag-mutability --repository-name schoolapp-backend"
            " --image-tag-mutability IMMUTABLE`"
        ),
        "  WARN  scanning    does not scan on push",
        (
            "        cure: `aws ecr put-image-scanning-configuration --repository-name"
            " schoolapp-backend --image-scanning-configuration scanOnPush=true`"
        ),
        "  OK    images      the newest is 1.0",
        "",
        "2 OK, 2 WARN, 0 FAIL, 0 SKIP",
    ]


def test_a_failure_is_the_exit_code_and_stands_in_the_document(
    project: Project, account: Account, aws: Aws
) -> None:
    del account
    aws.client("ssm").delete_parameter(Name="/schoolapp/dev/db_name")

    done = doctor(project, "--only", "parameters", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert document["counts"] == {"OK": 1, "WARN": 0, "FAIL": 1, "SKIP": 0}
    assert document["checks"][0] == {
        "name": "parameters",
        "group": "parameters",
        "level": "FAIL",
        "what": "missing: parameter /schoolapp/dev/db_name",
        "cure": "`schoolctl params set db_name`",
    }


def test_a_cure_names_the_environment_that_was_chosen(project: Project, account: Account) -> None:
    del account
    edit(project.directory, ", protected: true", "")
    found = findings(project, "-e", "prod")
    assert found["parameters"]["cure"] == "`schoolctl -e prod params set`"


@pytest.mark.parametrize(
    ("ahead", "level", "what"),
    [(0, "OK", "in step"), (120, "WARN", "2 m ahead"), (-600, "FAIL", "10 m behind")],
)
def test_the_clock_is_compared_with_that_of_aws(
    project: Project, account: Account, ahead: float, level: str, what: str
) -> None:
    del account
    clock = findings(project, "--only", "account", ahead=ahead)["clock"]
    assert clock["level"] == level
    # The answer takes a second on its way, and its time is in whole ones.
    assert what in re.sub(r" \d+ s", "", clock["what"].replace("9 m 59 s", "10 m"))
    assert (level == "OK") or "timedatectl" in clock["cure"]


def test_in_another_account_that_line_alone_fails(project: Project, account: Account) -> None:
    del account
    found = findings(project, "-e", "other")
    assert at(found, "FAIL") == ["account"]
    assert "123456789012" in found["account"]["what"]
    assert found["repository"]["what"] == "account failed"
    assert found["repository"]["level"] == "SKIP"


def test_an_account_that_is_not_pinned_is_a_warning(project: Project, account: Account) -> None:
    del account
    edit(project.directory, 'dev: {region: us-east-1, account: "123456789012"}',
         "dev: {region: us-east-1}")  # fmt: skip
    found = findings(project, "--only", "account")
    assert found["account"]["level"] == "WARN"
    assert found["account"]["cure"].startswith('write `account: "123456789012"`')


def test_an_endpoint_of_the_shell_is_a_failure_where_the_environment_is_protected(
    project: Project, account: Account
) -> None:
    del account
    assert findings(project)["endpoint"]["level"] == "WARN"
    file = project.directory / "schoolctl.yaml"
    file.write_text(re.sub(r'endpoint_url: "[^"]*", ', "", file.read_text()))
    found = findings(project, "-e", "prod")["endpoint"]
    assert (found["level"], found["cure"]) == ("FAIL", "`unset AWS_ENDPOINT_URL`")


def test_without_a_configuration_the_machine_is_checked_all_the_same(project: Project) -> None:
    (project.directory / "schoolctl.yaml").write_text("app: [\n")
    found = findings(project)
    assert at(found, "FAIL") == ["configuration"]
    assert found["docker engine"]["level"] == "OK"
    assert set(at(found, "SKIP")) == set(found) - {"configuration", "docker engine", "disk space"}


DENIED = {
    "DescribeRepositories": ("repository", "ecr:DescribeRepositories"),
    "GetParameters": ("parameters", "ssm:GetParameters"),
    "DescribeSecret": ("secrets", "secretsmanager:DescribeSecret"),
    "GetRole": ("task role", "iam:GetRole"),
    "DescribeServices": ("cluster", "ecs:DescribeServices"),
    "DescribeLogGroups": ("log group", "logs:DescribeLogGroups"),
    "DescribeSubnets": ("subnets", "ec2:DescribeSubnets"),
    "DescribeSecurityGroups": ("security groups", "ec2:DescribeSecurityGroups"),
    "DescribeTargetGroups": ("target group", "elasticloadbalancing:DescribeTargetGroups"),
    "DescribeListeners": ("listener", "elasticloadbalancing:DescribeListeners"),
    "GetParameter": ("deploy lock", "ssm:GetParameter"),
    "SimulatePrincipalPolicy": ("you may push", "iam:SimulatePrincipalPolicy"),
}


@pytest.mark.parametrize("operation", DENIED)
def test_a_read_that_is_denied_is_a_warning_that_names_the_action(
    project: Project, account: Account, faults: Faults, operation: str
) -> None:
    del account
    name, action = DENIED[operation]
    said = f"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action}"
    faults.answer_always(operation, "AccessDeniedException", said)

    found = findings(project)

    assert at(found, "FAIL") == []
    assert found[name]["level"] == "WARN"
    assert found[name]["what"] == f"not verified: {action} is denied"
    assert found[name]["cure"].endswith("`schoolctl iam policy --for doctor`")


def test_an_answer_that_does_not_come_is_no_failure_of_the_thing(
    project: Project, account: Account, faults: Faults
) -> None:
    del account
    faults.answer_always("DescribeSubnets", "ThrottlingException", "Rate exceeded")
    found = findings(project)
    assert found["subnets"]["level"] == "WARN"
    assert found["subnets"]["what"].startswith("not verified: could not look for the subnets")


def test_nothing_is_changed_and_no_value_is_read(
    project: Project, account: Account, faults: Faults
) -> None:
    del account
    doctor(project)
    called = {each.operation for each in faults.numbered()}
    reads = ("Describe", "Get", "List", "Simulate", "BatchGet")
    assert [each for each in called if not each.startswith(reads)] == []
    assert "GetSecretValue" not in called


def test_the_checks_run_side_by_side(project: Project, account: Account, faults: Faults) -> None:
    del account
    operations = ("DescribeSubnets", "DescribeLogGroups", "GetParameters", "DescribeSecret")
    together = threading.Barrier(len(operations), timeout=30)
    for operation in operations:
        faults.before(operation, together.wait)
    found = findings(project)
    assert not together.broken
    assert found["subnets"]["level"] == "OK"
