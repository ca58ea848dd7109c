"""A permission that is missing, at each call in turn: what is said, and what had been done.

The tables are the list of calls: one that a command makes anew is in none of them, and fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from schoolctl.base.errors import ExitCode
from tests.faults import Call
from tests.worlds.account import NAME, Account, simplify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Aws, Project
    from tests.faults import Faults

WARNS, REFUSES, STOPS = "warns", "refuses", "stops"
"""What becomes of a run: it goes on and says what was not verified, or not noted; it ends before
anything is changed; it ends half-way, and says what was done and how to go on."""

DEPLOY = {
    "CreateLogGroup 1": REFUSES,
    "CreateService 1": STOPS,
    "DescribeImages 1": REFUSES,
    "DescribeLogGroups 1": WARNS,
    "DescribeRepositories 1": REFUSES,
    "DescribeSecret 1": REFUSES,
    "DescribeSecurityGroups 1": REFUSES,
    "DescribeServices 1": REFUSES,
    "DescribeServices 2": STOPS,
    "DescribeSubnets 1": REFUSES,
    "DescribeTaskDefinition 1": REFUSES,
    "GetCallerIdentity 1": REFUSES,
    "GetParameters 1": WARNS,
    "GetRole 1": WARNS,
    "RegisterTaskDefinition 1": STOPS,
    "TagResource 1": WARNS,
}
ROLLBACK = {
    "DescribeImages 1": REFUSES,
    "DescribeRepositories 1": REFUSES,
    "DescribeServices 1": REFUSES,
    "DescribeServices 2": STOPS,
    "DescribeTaskDefinition 1": REFUSES,
    "GetCallerIdentity 1": REFUSES,
    "ListTaskDefinitions 1": REFUSES,
    "TagResource 1": WARNS,
    "UpdateService 1": REFUSES,
}
PARAMS = {
    "GetCallerIdentity 1": REFUSES,
    "GetParameters 1": WARNS,
    "PutParameter 1": REFUSES,
    "PutParameter 2": STOPS,
}
EXTRAS = {
    "BatchGetImage",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeTargetHealth",
    "DescribeTasks",
    "GetAuthorizationToken",
    "ListServiceDeployments",
    "ListTasks",
}
"""Reads that only tell people more."""
LOCK = {"DeleteParameter", "GetParameter", "PutParameter"}
TOLD_APART = {"DescribeServices", "PutParameter"}
"""Operations whose second call means something else than the first: the wait, another value."""


class Scene:
    """A command on an account that is made anew for each denial."""

    def __init__(
        self, project: Project, faults: Faults, aws: Aws, prepare: Callable[[Account], object]
    ) -> None:
        self.project, self.faults, self.aws, self.prepare = project, faults, aws, prepare
        self.words: tuple[str, ...] = ()

    def run(self, denied: Call | None) -> tuple[int, dict[str, Any], str]:
        """Run the command where a call is not allowed any more; gives code, document, stderr."""
        requests.post(f"{self.aws.endpoint_url}/moto-api/reset", timeout=10).raise_for_status()
        self.prepare(Account(self.aws))
        self.faults.calls.clear()
        if denied is not None:
            for _ in range(denied.nth - 1):
                self.faults.pass_on(denied.operation)
            self.faults.answer_always(
                denied.operation,
                "AccessDeniedException",
                "User: arn:aws:iam::123456789012:user/ann is not authorized to perform:"
                f" x:{denied.operation} because no identity-based policy allows it",
            )
        done = self.project.invoke(*self.words, "--json")
        self.faults.heal()
        return done.exit_code, json.loads(done.stdout), done.stderr

    def outcomes(self, *words: str, apart_from: set[str] = EXTRAS) -> dict[str, str]:
        """Deny each call that an undisturbed run of `words` makes; gives what becomes of it."""
        self.words = words
        code, _, stderr = self.run(None)
        assert code == ExitCode.DONE, stderr
        assert "warning" not in stderr
        wanted = {
            call
            for call in self.faults.numbered()
            if call.operation not in apart_from
            and call.nth <= (2 if call.operation in TOLD_APART else 1)
        }
        return {str(call): self._outcome(call) for call in sorted(wanted)}

    def silent(self, *words: str) -> None:
        """Deny each read that only tells people more: the run goes on."""
        self.words = words
        for operation in sorted(EXTRAS):
            code, _, stderr = self.run(Call(operation, 1))
            assert code == ExitCode.DONE, (operation, stderr)

    def _outcome(self, call: Call) -> str:
        code, document, stderr = self.run(call)
        assert "bug in schoolctl" not in stderr, call
        if code == ExitCode.DONE:
            assert stderr.count("warning:") == 1, stderr
            assert f"x:{call.operation}" in stderr, stderr
            return WARNS
        error = document["error"]
        assert f"x:{call.operation}" in error["hint"], (call, error)
        if not error["done"]:
            return REFUSES
        assert "run it again" in error["hint"], (call, error)
        return STOPS


def test_a_read_that_can_be_spared_is_a_warning_with_the_cure(
    project: Project, faults: Faults, aws: Aws
) -> None:
    del aws
    faults.deny("DescribeParameters", "ssm:DescribeParameters")
    done = project.invoke("params", "list", "-e", "prod")
    assert done.exit_code == ExitCode.DONE
    assert done.stderr.startswith("warning: who changed them was not read: AWS denied ssm:Descr")
    assert done.stderr.endswith(
        "; `schoolctl -e prod iam policy --for 'params list'` prints a policy that allows it\n"
    )


def test_what_no_policy_allows_is_told_without_one(
    project: Project, faults: Faults, aws: Aws
) -> None:
    del aws
    faults.answer(
        "DescribeRepositories",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform:"
        " ecr:DescribeRepositories with an explicit deny in a service control policy",
    )
    done = project.invoke("repo", "show")
    assert done.exit_code == ExitCode.FAILED
    assert "ecr:DescribeRepositories" in done.stderr
    assert "iam policy" not in done.stderr


@pytest.fixture
def simple(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    simplify(project.directory)
    return project


@pytest.mark.faults
def test_a_deploy(simple: Project, faults: Faults, aws: Aws) -> None:
    scene = Scene(simple, faults, aws, lambda account: account.push("1.0"))
    assert scene.outcomes("deploy", apart_from=EXTRAS | LOCK) == DEPLOY
    scene.silent("deploy")


@pytest.mark.faults
def test_a_rollback(simple: Project, faults: Faults, aws: Aws) -> None:
    def prepare(account: Account) -> None:
        account.register("1.0", "2026-11-02T08:01:00Z")
        account.register("1.1", "2026-11-02T08:02:00Z")
        account.ecs.create_service(
            cluster="schoolapp", serviceName=NAME, taskDefinition=f"{NAME}:2", desiredCount=2
        )

    scene = Scene(simple, faults, aws, prepare)
    assert scene.outcomes("rollback", apart_from=EXTRAS | LOCK) == ROLLBACK


def test_writing_parameters(simple: Project, faults: Faults, aws: Aws) -> None:
    words = ("params", "set", "db_host=database.example", "db_name=registrations")
    scene = Scene(simple, faults, aws, lambda _: None)
    assert scene.outcomes(*words) == PARAMS
