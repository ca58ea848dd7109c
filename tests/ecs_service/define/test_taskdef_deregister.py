"""`schoolctl taskdef deregister`: a revision goes, unless something is at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.account import NAME, Account

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults


@pytest.fixture
def account(aws: Aws) -> Account:
    made = Account(aws)
    for tag in ("1.0", "1.1"):
        made.register(tag)
    return made


@pytest.mark.parametrize("which", ["1", f"{NAME}:1"])
def test_a_revision_that_nothing_uses_becomes_inactive(
    project: Project, account: Account, which: str
) -> None:
    done = project.invoke("taskdef", "deregister", which, "--yes", "--json")

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["deregistered"] is True
    assert account.revisions() == [f"{NAME}:2"]


@pytest.mark.usefixtures("account")
def test_again_there_is_nothing_to_do(project: Project) -> None:
    project.invoke("taskdef", "deregister", "1", "--yes")

    done = project.invoke("taskdef", "deregister", "1", "--yes")

    assert done.exit_code == 0
    assert f"nothing to do: {NAME}:1 is INACTIVE already" in done.stderr


def test_without_a_terminal_and_without_yes_it_stays(project: Project, account: Account) -> None:
    done = project.invoke("taskdef", "deregister", "1")

    assert done.exit_code == ExitCode.FAILED
    assert len(account.revisions()) == 2


def test_a_revision_that_a_service_of_another_cluster_is_at_is_refused(
    project: Project, account: Account
) -> None:
    account.ecs.create_cluster(clusterName="elsewhere")
    account.ecs.create_service(
        cluster="elsewhere", serviceName="copy", taskDefinition=f"{NAME}:1", desiredCount=0
    )

    done = project.invoke("taskdef", "deregister", "1", "--yes")

    assert done.exit_code == ExitCode.FAILED
    assert f"error: {NAME}:1 is in use; nothing was changed" in done.stderr
    assert "service elsewhere/copy is at it" in done.stderr
    assert len(account.revisions()) == 2


def test_what_uses_it_must_be_known(faults: Faults, project: Project, account: Account) -> None:
    faults.deny("ListClusters", "ecs:ListClusters")

    done = project.invoke("taskdef", "deregister", "1", "--yes")

    assert done.exit_code == ExitCode.FAILED
    assert "ecs:ListClusters" in done.stderr
    assert len(account.revisions()) == 2


@pytest.mark.parametrize("which", ["web:", "0", "one", "a:b:1"])
def test_what_is_no_revision_is_a_usage_error(project: Project, which: str) -> None:
    assert project.invoke("taskdef", "deregister", which).exit_code == ExitCode.USAGE


@pytest.mark.usefixtures("account")
def test_a_revision_that_is_not_there_is_an_error(project: Project) -> None:
    done = project.invoke("taskdef", "deregister", "9", "--yes")

    assert done.exit_code == ExitCode.FAILED
    assert f"there is no revision {NAME}:9" in done.stderr


def test_a_revision_that_completed_is_told_of_before_it_goes(
    project: Project, account: Account
) -> None:
    account.register("1.2", completed_at="2026-11-02T08:00:00Z")

    done = project.invoke("taskdef", "deregister", "3", "--dry-run")

    assert done.exit_code == 0
    assert "a rollback may want it" in done.stderr
    assert len(account.revisions()) == 3
