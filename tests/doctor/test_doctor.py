"""The judgements of `doctor`, each on what was observed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schoolctl.base.errors import AccessDeniedError, UnavailableError
from schoolctl.core.lock_rules import Found, Holder
from schoolctl.doctor import account, machine, observe, service
from schoolctl.doctor import service as image
from schoolctl.doctor.verdict import Finding, Group, Level, Verdict, blocked, lines, of_error
from schoolctl.iam.policy import Scope, statement
from schoolctl.model.images import Builder, BuilderKind, Ignored, NoSource, Source
from schoolctl.model.services import RolloutState
from schoolctl.model.surroundings import Role, Subnet, TargetGroup
from schoolctl.model.values import Parameter, SecretInfo
from tests.worlds.deploy_scenes import NOW, REPOSITORY, SECRET_ARN, TARGET_GROUP, config, ref
from tests.worlds.deploy_scenes import service as deployed
from tests.worlds.scenes import deployment

OK, WARN, FAIL, SKIP = Level.OK, Level.WARN, Level.FAIL, Level.SKIP
CLASSIC = Builder(BuilderKind.CLASSIC)
SUBNETS = (Subnet("subnet-a", "vpc-1"),)
GROUP = TargetGroup(TARGET_GROUP, "schoolapp-tg", "ip", "vpc-1", ("lb",), "/healthz", 3000)
SCOPE = Scope(config(), "us-east-1", "123456789012")
USER = "arn:aws:iam::123456789012:user/teams/ann"


def is_cured(verdict: Verdict, level: Level, cure: str) -> bool:
    """Return whether a verdict has a level, and some words in its cure."""
    return verdict.level is level and cure in verdict.cure


# The machine


@pytest.mark.parametrize(
    "line",
    [
        "RUN --mount=type=cache,target=/x make",
        "COPY --link a b",
        "ADD --chmod=755 a b",
        "RUN <<EOF\necho\nEOF",
        "copy --from=x --chmod=644 a b",
    ],
)
def test_a_dockerfile_for_buildkit_fails_with_the_classic_builder(line: str) -> None:
    text = f"FROM scratch\n{line}\n"
    assert is_cured(machine.judge_builder(CLASSIC, text), FAIL, "buildx")
    buildkit = Builder(BuilderKind.BUILDKIT, "/usr/bin/docker")
    assert machine.judge_builder(buildkit, text).level is OK


@pytest.mark.parametrize("line", ["RUN echo $((1<<2))", "# RUN --mount=x", "COPY --from=a b c"])
def test_any_other_dockerfile_is_fine_for_both(line: str) -> None:
    assert machine.judge_builder(CLASSIC, f"FROM scratch\n{line}\n").level is OK


@pytest.mark.parametrize(
    ("free_bytes", "level"),
    [(80_000_000_000, OK), (3_000_000_000, WARN), (10_000_000, FAIL), (None, SKIP)],
)
def test_the_space_for_builds(free_bytes: int | None, level: Level) -> None:
    assert machine.judge_disk(observe.Disk("/var/lib/docker", free_bytes)).level is level


@pytest.mark.parametrize(
    ("version", "level"),
    [("28.5.1", OK), ("20.10.24+dfsg1", OK), ("19.03.1", WARN), ("", OK)],
)
def test_the_version_of_the_engine(version: str, level: Level) -> None:
    assert machine.judge_engine(version, "unix:///x").level is level


def test_a_work_tree_that_push_would_refuse_is_a_warning() -> None:
    wants = config("git: {branch: main, clean: true}")
    source = Source("1" * 40, NOW, ("feature",), None, ())
    assert machine.judge_git(wants, source).level is WARN
    assert machine.judge_git(wants, NoSource("git is not installed")).level is WARN
    assert machine.judge_git(wants, replace(source, branches=("main",))).level is OK
    assert machine.judge_git(config(), source).level is OK


def test_keys_of_this_machine_must_be_ignored_by_git() -> None:
    found = {each: machine.judge_overlay(each).level for each in Ignored}
    assert found == {
        Ignored.NO_GIT: OK,
        Ignored.IGNORED: OK,
        Ignored.NOT_IGNORED: FAIL,
        Ignored.TRACKED: FAIL,
    }


@pytest.mark.parametrize(
    ("extra", "cure"),
    [
        ("service: {assign_public_ip: false}", "assign_public_ip: true"),
        (
            "task: {stop_timeout: 30, environment: {GUNICORN_CMD_ARGS: --graceful-timeout 30}}",
            "task.stop_timeout",
        ),
    ],
)
def test_what_a_configuration_says_and_hardly_means(extra: str, cure: str) -> None:
    assert is_cured(machine.judge_config(config(extra), "schoolctl.yaml"), WARN, cure)


# The account


def test_a_refusal_by_a_wrong_clock_is_told_by_the_clock_alone() -> None:
    caller = observe.Caller(None, UnavailableError("x"), 900)
    assert account.judge_clock(caller).level is FAIL
    assert account.judge_credentials(caller).level is SKIP


# The image


def test_an_image_that_is_gone_fails_with_the_push_that_brings_it_back() -> None:
    gone = image.judge_running_image("registry/name@sha256:1", "1.0", exists=False)
    assert is_cured(gone, FAIL, "`schoolctl push --tag 1.0`")
    assert image.judge_running_image("registry/name@x", None, exists=None).level is OK
    assert image.judge_running_image("", None, exists=None).level is OK


def test_a_repository_of_another_region_than_the_registry_fails() -> None:
    there = replace(
        REPOSITORY, arn="arn:aws:ecr:eu-west-1:123456789012:repository/schoolapp-backend"
    )
    assert is_cured(image.judge_repository(config(), there), FAIL, "correct `registry`")
    assert image.judge_newest(None).level is WARN


# What the service stands in


def parameters(**types: str) -> dict[str, Parameter]:
    """Return the configured parameters by name, with other types for some."""
    chosen = {"db_host": "SecureString", "db_name": "SecureString", "db_user": "SecureString"}
    names = {key: f"/schoolapp/dev/{key}" for key in chosen}
    return {
        name: Parameter(name, types.get(key, chosen[key]), 1, NOW) for key, name in names.items()
    }


def test_a_parameter_of_another_type_is_a_warning() -> None:
    assert service.judge_parameters(config(), parameters()).level is OK
    other = service.judge_parameters(config(), parameters(db_user="String"))
    assert is_cured(other, WARN, "declare `type: String`")


def test_secrets_are_judged_together() -> None:
    there = SecretInfo("schoolapp/dev/db_password", SECRET_ARN, NOW)
    assert service.judge_secrets(config(), {"db_password": there}).level is OK
    for other, cure in (
        (None, "`schoolctl secrets set db_password`"),
        (replace(there, deleted_at=NOW), "`schoolctl secrets set db_password --restore`"),
        (replace(there, has_value=False), "`schoolctl secrets set db_password`"),
    ):
        assert is_cured(service.judge_secrets(config(), {"db_password": other}), FAIL, cure)


def test_roles() -> None:
    role = Role("arn:aws:iam::123456789012:role/schoolapp-task")
    assert service.judge_role(config(), "schoolapp-task", role, "us-east-1").level is OK
    assert service.judge_role(config(), None, None, "us-east-1").level is OK
    others = replace(role, trusts_tasks=False)
    verdict = service.judge_role(config(), "schoolapp-task", others, "us-east-1")
    assert is_cured(verdict, FAIL, "aws iam update-assume-role-policy")


def test_a_log_group_is_only_missed_by_a_service() -> None:
    assert service.judge_log_group(config(), exists=False, used=False).level is OK
    lost = service.judge_log_group(config(), exists=False, used=True)
    assert is_cured(lost, FAIL, "aws logs create-log-group")


@pytest.mark.parametrize(
    ("group", "level", "cure"),
    [
        (GROUP, OK, ""),
        (None, FAIL, "aws elbv2 create-target-group"),
        (replace(GROUP, target_type="instance"), FAIL, "make another"),
        (replace(GROUP, health_path="/"), FAIL, "--health-check-path /healthz"),
        (replace(GROUP, health_port="80"), FAIL, "--health-check-port traffic-port"),
        (replace(GROUP, vpc_id="vpc-2"), FAIL, "VPC"),
        (replace(GROUP, protocol="HTTPS"), FAIL, "the protocol cannot be changed"),
        (replace(GROUP, port=80), WARN, ""),
    ],
)
def test_target_groups(group: TargetGroup | None, level: Level, cure: str) -> None:
    assert is_cured(service.judge_target_group(config(), group, SUBNETS), level, cure)


def test_the_load_balancer_that_could_forward_stands_in_the_cure() -> None:
    alone = replace(GROUP, load_balancer_arns=())
    verdict = service.judge_listener(config(), alone, "arn:lb")
    assert is_cured(verdict, FAIL, "--load-balancer-arn arn:lb --protocol HTTP")


def test_a_lock_is_a_warning_that_says_whose_it_is() -> None:
    holder = Holder("1f", "ann", "laptop", 7, "", "deploy", NOW)
    held = Found(holder, 20, NOW + timedelta(seconds=20), 1)
    assert service.judge_lock(None, ended=False).level is OK
    assert is_cured(service.judge_lock(held, ended=False), WARN, "--lock-wait")
    left = service.judge_lock(replace(held, idle_seconds=900), ended=False)
    assert is_cured(left, WARN, "`schoolctl lock release --id 1f`")


# Permissions


def test_a_command_is_asked_about_by_its_own_table() -> None:
    needed = observe.questions_of_command("push", SCOPE, optional=False)
    actions = {action for each in needed for action in each.actions}
    assert {"ecr:PutImage", "ecr:GetAuthorizationToken"} <= actions
    assert "ecr:CreateRepository" not in actions  # only --create-repo needs it
    assert not any("*" in arn for each in needed for arn in each.resources if arn != "*")


def test_passing_a_role_is_asked_about_as_ecs_does_it() -> None:
    needed = observe.questions_of_command("deploy", SCOPE, optional=False)
    [question] = [each for each in needed if "iam:PassRole" in each.actions]
    assert dict(question.context) == {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert len(question.resources) == 2


def test_a_secret_that_is_there_is_asked_about_by_its_own_arn() -> None:
    pattern = SECRET_ARN.replace("-AbCdEf", "-??????")
    made = [statement(["secretsmanager:GetSecretValue"], [pattern])]
    [known] = observe.questions_of_statements(made, [SECRET_ARN])
    [unknown] = observe.questions_of_statements(made)
    assert known.resources == (SECRET_ARN,)
    assert unknown.resources == (pattern.replace("??????", "a1B2c3"),)


def test_of_several_arns_one_may_be_enough() -> None:
    question = observe.Question(("logs:GetLogEvents",), ("a", "b"), any_will_do=True)
    answers = [frozenset({"logs:GetLogEvents"}), frozenset[str]()]
    assert observe.denials(question, answers) == []
    every = replace(question, any_will_do=False)
    assert [str(each) for each in observe.denials(every, answers)] == ["logs:GetLogEvents on a"]


@pytest.mark.parametrize(
    ("principal", "cure"),
    [
        (
            USER,
            (
                "`aws iam put-user-policy --user-name ann --policy-name schoolctl-push"
                ' --policy-document "$(schoolctl iam policy --for push)"`'
            ),
        ),
        (
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Dev_1",
            "let a policy allow it: `schoolctl iam policy --for push`",
        ),
    ],
)
def test_a_caller_who_may_not_is_told_what_is_missing(principal: str, cure: str) -> None:
    denial = observe.Denial("ecr:PutImage", "arn:x")
    verdict = account.judge_caller(principal, "push", [denial], [])
    assert (verdict.level, verdict.cure) == (FAIL, cure)
    assert "ecr:PutImage on arn:x" in verdict.what
    assert account.judge_caller(principal, "push", [], [denial]).level is WARN
    assert account.judge_caller(principal, "push", [], []).level is OK
    assert account.judge_caller(None, "push", [], []).level is OK


@pytest.mark.parametrize(
    ("arn", "kind", "name"),
    [
        ("arn:aws:iam::1:root", "root", ""),
        (USER, "user", "teams/ann"),
        ("arn:aws:sts::1:assumed-role/Dev/session/x", "assumed-role", "Dev"),
    ],
)
def test_callers_are_told_apart(arn: str, kind: str, name: str) -> None:
    assert observe.named_principal(arn) == (kind, name)


# All together


def test_a_check_is_kept_from_telling_by_what_failed_first() -> None:
    found = [
        Finding("a", Group.MACHINE, Verdict(FAIL, "x", "y")),
        Finding("b", Group.MACHINE, Verdict(SKIP, "a failed"), cause="a"),
        Finding("c", Group.MACHINE, Verdict(WARN, "x", "y")),
    ]
    assert blocked(["a"], found) == "a"
    assert blocked(["c", "b"], found) == "a"
    assert blocked(["c"], found) is None


def test_what_was_not_seen_is_in_the_way_of_no_other_check() -> None:
    denied = Verdict(WARN, "x", "y", "ec2:DescribeSubnets")
    found = [
        Finding("a", Group.MACHINE, denied),
        Finding("b", Group.MACHINE, Verdict(SKIP, "a could not be verified"), cause="a"),
        Finding("c", Group.MACHINE, replace(denied, level=SKIP)),
        Finding("d", Group.MACHINE, Verdict(FAIL, "x", "y", blocks=False)),
    ]
    assert blocked(["a", "b", "c", "d"], found) is None


def test_errors_become_verdicts() -> None:
    denied = of_error(AccessDeniedError("could not look", action="ecs:DescribeServices"))
    assert denied.what == "not verified: ecs:DescribeServices is denied"
    assert is_cured(of_error(UnavailableError("away", hint="again")), WARN, "again")


def test_a_narrow_terminal_folds_what_is_found_and_never_a_cure() -> None:
    long = "word " * 20
    found = [Finding("name", Group.MACHINE, Verdict(FAIL, long.strip(), f"`{long.strip()}`"))]
    told = lines(found, width=60)
    assert all(len(line) <= 60 for line in told if "cure" not in line)
    assert f"        cure: `{long.strip()}`" in told


def test_a_service_that_does_not_run_as_it_should_leads_to_why() -> None:
    failed = deployment("ecs-svc/1", ref(1), RolloutState.FAILED)
    for state in (deployed(failed), deployed(running=1)):
        assert is_cured(service.judge_service(config(), state), WARN, "`schoolctl why`")
    assert is_cured(service.judge_service(config(), deployed(desired=0)), WARN, "scale")
    assert service.judge_service(config(), None).level is WARN
    assert service.judge_service(config(), deployed()).level is OK
