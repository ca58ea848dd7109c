"""`schoolctl deploy` in process: what it refuses, shows and changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.worlds.account import NAME, Account, edit, protect, simplify

if TYPE_CHECKING:
    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults

WRITES = {
    "CreateLogGroup",
    "CreateService",
    "RegisterTaskDefinition",
    "RunTask",
    "TagResource",
    "UpdateService",
}


@pytest.fixture
def account(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give the documented account; a service that is created completes at once with two tasks."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    return Account(aws)


@pytest.fixture
def simple(project: Project) -> Project:
    """Give a project without a load balancer."""
    simplify(project.directory)
    return project


def deploy(project: Project, *args: str, code: int = 0) -> dict[str, Any]:
    done = project.invoke("deploy", "--json", *args)
    assert done.exit_code == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


# What is refused before anything is changed


def test_everything_that_is_missing_is_named_at_once(project: Project, faults: Faults) -> None:
    done = project.invoke("deploy", "--tag", "1.0")
    assert done.exit_code == ExitCode.FAILED
    assert done.stdout == ""
    assert done.stderr.startswith("error: cannot deploy schoolapp-backend: 9 things missing; ")
    for command in (
        "`schoolctl repo create`",
        "`schoolctl push --tag 1.0`",
        "--role-name schoolapp-execution",
        "--role-name schoolapp-task",
        "`schoolctl secrets set db_password`",
        "`aws ecs create-cluster --cluster-name schoolapp`",
        (
            "parameters /schoolapp/dev/db_host, /schoolapp/dev/db_name, /schoolapp/dev/db_user:"
            " `schoolctl params set`"
        ),
        "--group-name schoolApp-ecs-sg --vpc-id vpc-",
        "--name schoolapp-tg",
    ):
        assert command in done.stderr
    assert WRITES.isdisjoint(faults.calls)


def test_in_another_environment_the_cures_name_it(project: Project, aws: Aws) -> None:
    del aws
    done = project.invoke("deploy", "-e", "prod", "--tag", "1.0")
    assert "`schoolctl params set -e prod`" in done.stderr


def test_an_image_whose_rollout_never_completed_is_no_silent_choice(
    simple: Project, account: Account
) -> None:
    account.register("1.0", "2026-11-02T08:01:00Z")
    deploy(simple, "--revision", "1")
    account.register("1.1")  # deployed once, and rolled back
    done = simple.invoke("deploy", "--dry-run")
    assert done.exit_code == ExitCode.DONE
    assert (
        "warning: no rollout of schoolapp-backend:2, which has image 1.1, is known to have"
        " completed; that of schoolapp-backend:1 has: `schoolctl deploy --tag 1.0` stays with it"
    ) in done.stderr
    chosen = simple.invoke("deploy", "--dry-run", "--tag", "1.1")
    assert "is known to have completed" not in chosen.stderr


@pytest.mark.parametrize("words", [("--confirm", "wrong"), ("--confirm", "wrong", "--yes")])
def test_a_wrong_name_declines_in_a_protected_environment(
    simple: Project, account: Account, words: tuple[str, ...]
) -> None:
    protect(simple.directory)
    account.push("1.0")
    done = simple.invoke("deploy", "--tag", "1.0", *words)
    assert done.exit_code == ExitCode.FAILED
    assert "environment dev is protected; nothing was changed" in done.stderr
    assert "type it, or add --confirm schoolapp-backend" in done.stderr
    assert ("--yes is not enough" in done.stderr) == ("--yes" in words)
    assert account.service() is None


def test_missing_things_stand_in_the_document(project: Project, aws: Aws) -> None:
    del aws
    document = deploy(project, code=1)
    assert len(document["error"]["missing"]) == 9
    assert document["ok"] is False


def test_a_protected_environment_wants_the_choice_spelled_out(project: Project, aws: Aws) -> None:
    del aws
    done = project.invoke("deploy", "-e", "prod")
    assert done.exit_code == ExitCode.USAGE
    assert "say which image to deploy" in done.stderr
    assert "`schoolctl deploy -e prod --tag TAG`" in done.stderr


def test_a_tag_that_was_never_pushed_is_named(simple: Project, account: Account) -> None:
    account.push("1.0")
    done = simple.invoke("deploy", "--tag", "1.1")
    assert done.exit_code == ExitCode.FAILED
    assert "image 1.1 in repository schoolapp-backend: `schoolctl push --tag 1.1`" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("--tag", "latest"),
        ("--digest", "sha256:12"),
        ("--tag", "1.0", "--revision", "1"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
        ("--desired-count", "-1"),
        ("--revision", "0"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_is_refused_without_a_call(
    project: Project, faults: Faults, args: tuple[str, ...]
) -> None:
    assert project.invoke("deploy", *args).exit_code == ExitCode.USAGE
    assert faults.calls == []


def test_overrides_that_ecs_does_not_take_are_refused_without_their_values(
    simple: Project, account: Account
) -> None:
    account.push("1.0")
    edit(
        simple.directory,
        "log_group: /ecs/schoolapp-backend",
        "log_group: /ecs/schoolapp-backend\n  overrides: {cpuu: 1, containerDefinitions:"
        " [{name: web, environment: [{name: KEY, value: 4711}], healthCheck: canary}]}",
    )
    done = simple.invoke("deploy")
    assert done.exit_code == ExitCode.USAGE
    assert 'unknown parameter in input: "cpuu"' in done.stderr
    assert "containerDefinitions[0].healthCheck: must be a mapping" in done.stderr
    assert "must be text" in done.stderr
    assert "4711" not in done.stderr
    assert "canary" not in done.stderr
    assert account.revisions() == []


def test_overrides_of_the_service_are_checked_too(simple: Project, account: Account) -> None:
    account.push("1.0")
    edit(simple.directory, "overrides: {", "overrides: {nope: 1, ")
    done = simple.invoke("deploy")
    assert done.exit_code == ExitCode.USAGE
    assert "`service.overrides` makes a request that ECS does not take" in done.stderr
    assert account.revisions() == []


def test_a_wrong_account_is_refused_before_any_write(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    done = simple.invoke("deploy", "-e", "other", "--tag", "1.0")
    assert done.exit_code == ExitCode.WRONG_TARGET
    assert WRITES.isdisjoint(faults.calls)


# The first deployment


def test_the_first_deployment_makes_all_there_is(
    project: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    account = Account(aws, balancer=True)
    digest = account.push("1.0")
    document = deploy(project)
    service = account.service()
    assert document["verdict"] == "completed"
    assert document["revision"] == f"{NAME}:1"
    assert document["previous"] is None
    assert document["tag"] == "1.0"
    assert document["image"].endswith(f"{NAME}@{digest}")
    assert document["deployment_id"] == service["deployments"][0]["id"]
    assert service["desiredCount"] == 1
    assert service["loadBalancers"] == [
        {
            "targetGroupArn": account.target_group_arn,
            "containerName": "web",
            "containerPort": 3000,
        }
    ]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == [account.group_id]
    assert network["assignPublicIp"] == "ENABLED"
    groups = account.aws.client("logs").describe_log_groups()["logGroups"]
    assert [each["logGroupName"] for each in groups] == ["/ecs/schoolapp-backend"]


def test_the_revision_says_what_it_is(simple: Project, account: Account) -> None:
    account.push("1.0")
    deploy(simple)
    tags = account.tags(f"{NAME}:1")
    deploy_id = tags.pop("schoolctl:deploy-id")
    assert len(deploy_id) == 36
    assert tags == {
        "schoolctl:tag": "1.0",
        "schoolctl:by": "arn:aws:sts::123456789012:user/moto",
        "schoolctl:completed-at": tags["schoolctl:completed-at"],
    }
    assert tags["schoolctl:completed-at"].startswith("2026-11-02T09:0")


def test_the_last_line_says_what_became_of_it(simple: Project, account: Account) -> None:
    account.push("1.0")
    done = simple.invoke("deploy")
    assert done.stdout.startswith("schoolapp-backend runs 1.0 (schoolapp-backend:1): completed in")
    assert done.stdout.count("\n") == 1
    assert "image 1.0, digest " in done.stderr


def test_a_dry_run_shows_the_plan_and_changes_nothing(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    done = simple.invoke("deploy", "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.startswith("image:\n  none -> 1.0, sha256:")
    new = "the new revision of schoolapp-backend"
    assert [line for line in done.stderr.splitlines() if line.startswith("  ")] == [
        "  1. create log group /ecs/schoolapp-backend",
        "  2. register the first revision of schoolapp-backend",
        f"  3. create service schoolapp/schoolapp-backend with 1 task of {new}",
        "  4. wait until the rollout is decided (at most 1200 s)",
        f"  5. mark {new} as completed",
    ]
    assert WRITES.isdisjoint(faults.calls)


def test_no_value_of_a_parameter_or_secret_is_read_or_shown(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    done = simple.invoke("deploy", "-v")
    assert "canary" not in done.stdout + done.stderr
    assert "GetSecretValue" not in faults.calls
    assert "canary" not in json.dumps(account.definition(f"{NAME}:1"), default=str)


# Again


def test_deploying_the_same_again_changes_nothing_and_says_so(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    deploy(simple)
    faults.calls.clear()
    done = simple.invoke("deploy")
    assert done.exit_code == 0
    assert "nothing to do: schoolapp-backend runs 1.0 (schoolapp-backend:1)" in done.stderr
    assert done.stdout == ""
    assert WRITES.isdisjoint(faults.calls)
    assert account.revisions() == [f"{NAME}:1"]
    assert deploy(simple)["verdict"] == "nothing to do"


def test_a_deployment_that_was_never_marked_is_only_marked(
    simple: Project, account: Account
) -> None:
    account.push("1.0")
    assert deploy(simple, "--no-wait")["verdict"] == "started"
    assert "schoolctl:completed-at" not in account.tags(f"{NAME}:1")
    assert deploy(simple)["verdict"] == "nothing to do"
    assert "schoolctl:completed-at" in account.tags(f"{NAME}:1")
    assert account.revisions() == [f"{NAME}:1"]


def test_a_new_image_makes_a_revision_and_leaves_the_rest_alone(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    deploy(simple)
    digest = account.push("1.1")
    document = deploy(simple, "--tag", "1.1", "--no-wait")
    assert document["revision"] == f"{NAME}:2"
    assert document["previous"] == f"{NAME}:1"
    assert account.runs() == f"{NAME}:2"
    assert account.definition(f"{NAME}:2")["containerDefinitions"][0]["image"].endswith(digest)
    request = json.loads(faults.bodies[faults.calls.index("UpdateService")])
    assert set(request) == {"cluster", "service", "taskDefinition"}
    assert request["taskDefinition"].endswith(f":task-definition/{NAME}:2")


def test_without_a_choice_the_newest_image_is_deployed(simple: Project, account: Account) -> None:
    account.push("1.0")
    account.push("1.1")
    assert deploy(simple)["tag"] == "1.1"


def test_a_digest_is_deployed_without_a_tag(simple: Project, account: Account) -> None:
    digest = account.push("1.0")
    account.push("1.1")
    assert deploy(simple, "--digest", digest)["image"].endswith(digest)


def test_an_earlier_revision_is_used_not_made_again(simple: Project, account: Account) -> None:
    account.push("1.0")
    account.push("1.1")
    deploy(simple, "--tag", "1.0")
    deploy(simple, "--tag", "1.1", "--no-wait")
    deploy(simple, "--revision", "1", "--no-wait")
    assert account.runs() == f"{NAME}:1"
    assert account.revisions() == [f"{NAME}:1", f"{NAME}:2"]


def test_a_revision_that_is_not_there_is_refused(simple: Project, account: Account) -> None:
    account.push("1.0")
    done = simple.invoke("deploy", "--revision", "7")
    assert done.exit_code == ExitCode.FAILED
    assert "there is no revision schoolapp-backend:7" in done.stderr


def test_a_revision_whose_image_is_gone_is_refused(simple: Project, account: Account) -> None:
    digest = account.push("1.0")
    deploy(simple)
    account.ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
    done = simple.invoke("deploy", "--revision", "1")
    assert done.exit_code == ExitCode.USAGE
    assert "the image of revision schoolapp-backend:1 is gone" in done.stderr


def test_another_deployment_in_progress_is_busy(
    simple: Project, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOTO_ECS_SERVICE_RUNNING")  # now it never completes
    account.push("1.0")
    deploy(simple, "--no-wait")
    account.push("1.1")
    done = simple.invoke("deploy", "--tag", "1.1")
    assert done.exit_code == ExitCode.BUSY
    assert "schoolapp-backend:1" in done.stderr
    assert account.revisions() == [f"{NAME}:1"]


def test_the_release_command_runs_first_and_its_failure_leaves_the_service_alone(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    deploy(simple)
    edit(simple.directory, "  target_group:", "  release_command: [migrate]\n  target_group:")
    account.push("1.1")
    faults.answer("RunTask", "ClientException", "no such thing")
    document = deploy(simple, "--tag", "1.1", code=3)
    assert document["verdict"] == "not started"
    assert "release command" in document["error"]["what"]
    assert document["error"]["done"] == [
        "register a new revision of schoolapp-backend (image 1.0 -> 1.1): schoolapp-backend:2"
    ]
    assert account.runs() == f"{NAME}:1"


# AWS as it can be


def test_a_lost_reply_makes_no_second_revision(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    faults.lose_reply("RegisterTaskDefinition")
    assert deploy(simple)["revision"] == f"{NAME}:1"
    assert account.revisions() == [f"{NAME}:1"]


def test_a_register_call_that_never_arrived_is_made_again(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    faults.answer("RegisterTaskDefinition", "ServerException", "try later", status=500)
    deploy(simple)
    assert account.revisions() == [f"{NAME}:1"]


def test_a_lost_reply_of_an_update_is_no_failure(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    deploy(simple)
    account.push("1.1")
    faults.lose_reply("UpdateService")
    assert deploy(simple, "--tag", "1.1", "--no-wait")["verdict"] == "started"
    assert account.runs() == f"{NAME}:2"


def test_a_lost_reply_of_a_forced_update_starts_no_second_deployment(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    before = deploy(simple)["deployment_id"]
    faults.lose_reply("UpdateService")
    document = deploy(simple, "--force", "--no-wait")
    assert faults.calls.count("UpdateService") == 1
    assert document["deployment_id"] == account.service()["deployments"][0]["id"] != before


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        ("RegisterTaskDefinition", "ClientException", "Role is not valid"),
        (
            "CreateService",
            "InvalidParameterException",
            "Unable to assume the service linked role. Please verify that it exists.",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The target group with targetGroupArn x does not have an associated load balancer.",
        ),
    ],
)
def test_what_ecs_does_not_see_yet_is_waited_for(
    simple: Project, account: Account, faults: Faults, call: str, code: str, message: str
) -> None:
    account.push("1.0")
    for _ in range(3):
        faults.answer(call, code, message)
    assert deploy(simple)["verdict"] == "completed"
    assert account.revisions() == [f"{NAME}:1"]


def test_what_ecs_does_not_see_after_a_minute_is_reported_with_what_was_done(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    faults.answer_always("CreateService", "InvalidParameterException", "Unable to assume the role")
    document = deploy(simple, code=1)
    assert "Unable to assume the role" in document["error"]["why"]
    assert document["error"]["done"][-1].startswith("register the first revision")
    assert document["error"]["left"] != []
    assert "run it again" in document["error"]["hint"]
    faults.heal()
    assert deploy(simple)["verdict"] == "completed"
    assert account.revisions() == [f"{NAME}:1"]


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("GetParameters", "ssm:GetParameters"),
        ("GetRole", "iam:GetRole"),
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
        ("BatchGetImage", "ecr:BatchGetImage"),
    ],
)
def test_an_optional_read_that_is_denied_is_no_failure(
    simple: Project, account: Account, faults: Faults, call: str, action: str
) -> None:
    account.push("1.0")
    faults.deny(call, action)
    done = simple.invoke("deploy", "--tag", "1.0")
    assert done.exit_code == 0, done.stderr
    if call != "BatchGetImage":  # it tells only the commit that people read
        assert f"{action} is denied" in done.stderr


def test_on_a_service_that_is_there_a_hidden_network_is_left_as_it_is(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    deploy(simple)
    account.push("1.1")
    faults.deny("DescribeSubnets", "ec2:DescribeSubnets")
    done = deploy(simple, "--tag", "1.1", "--no-wait")
    assert done["verdict"] == "started"
    request = json.loads(faults.bodies[faults.calls.index("UpdateService")])
    assert "networkConfiguration" not in request


def test_a_mark_that_may_not_be_made_is_a_warning(
    simple: Project, account: Account, faults: Faults
) -> None:
    account.push("1.0")
    faults.deny("TagResource", "ecs:TagResource")
    done: Result = simple.invoke("deploy")
    assert done.exit_code == 0
    assert "warning: could not tag schoolapp-backend:1" in done.stderr
