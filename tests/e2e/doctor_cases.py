"""What is broken in a sandbox, one thing at a time, and what somebody does who reads the cure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from schoolctl.config.overlay import overlay_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.doctor_bench import Bench

NAME = "schoolapp-backend"
_TASKS, _DATABASE = "schoolApp-ecs-sg", "schoolApp-rds-sg"
_ANYWHERE = "0.0.0.0/0"
EXECUTION, TASK = "schoolapp-execution", "schoolapp-task"
_TRUST_NOBODY = json.dumps({"Version": "2012-10-17", "Statement": []})
_KEY = f"-----BEGIN PRIVATE KEY-----\n{'A' * 64}\n-----END PRIVATE KEY-----\n"


@dataclass(frozen=True)
class Case:
    """One thing that is broken.

    Attributes:
        check: the line that fails, and no other.
        breaks: breaks it.
        commands: how the commands of the cure begin that are followed, in their order.
        by_hand: what somebody does whom the cure tells in words; `says` stands in it.
        then: the lines that this brings to light, and how the commands of their cures begin.
        warns: lines that warn beside.
        leaves: lines that are not well after the cure, of what was named in the place of another.
        fills: what the reader knows whom the command leaves a word open.
    """

    check: str
    breaks: Callable[[Bench], object]
    commands: tuple[str, ...] = ()
    by_hand: Callable[[Bench], object] | None = None
    says: str = ""
    then: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warns: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    fills: Callable[[Bench], dict[str, str]] | None = None


def _put_back(bench: Bench) -> None:
    bench.put_back()


def _write(name: str, text: str) -> Callable[[Bench], object]:
    return lambda bench: (bench.directory / name).write_text(text)


def _append(name: str, text: str) -> Callable[[Bench], object]:
    def append(bench: Bench) -> None:
        file = bench.directory / name
        file.write_text(file.read_text() + text)

    return append


def _overlay(values: dict[str, Any]) -> Callable[[Bench], object]:
    return lambda bench: bench.overlay(values)


def _environ(name: str, value: str) -> Callable[[Bench], object]:
    return lambda bench: bench.environ.update({name: value})


def _git(bench: Bench, *words: str) -> None:
    subprocess.run(["git", *words], cwd=bench.directory, check=True, capture_output=True)


def _not_ignored(bench: Bench) -> None:
    _git(bench, "init", "-q")
    (bench.directory / ".schoolctl" / ".gitignore").unlink()


def _tracked(bench: Bench) -> None:
    _git(bench, "init", "-q")
    _git(bench, "add", "--force", ".schoolctl/sandbox.yaml")


def _only_classic_builder(bench: Bench) -> None:
    file = bench.directory / "Dockerfile"
    file.write_text(file.read_text() + "RUN --mount=type=cache,target=/tmp/c true\n")
    folder = bench.directory.parent / "no-docker"
    folder.mkdir(exist_ok=True)
    for name in ("git", "sh", "env"):
        found = shutil.which(name)
        if found and not (folder / name).exists():
            (folder / name).symlink_to(found)
    bench.environ["PATH"] = str(folder)


def _lock_file_out_of_step(bench: Bench) -> None:
    file = bench.directory / "Dockerfile"
    file.write_text(file.read_text() + "RUN cd service && npm ci\n")
    package = {"dependencies": {"ms": "2"}}
    (bench.directory / "service" / "package.json").write_text(json.dumps(package))
    lock = {"lockfileVersion": 3, "packages": {}}
    (bench.directory / "service" / "package-lock.json").write_text(json.dumps(lock))


def _no_region(bench: Bench) -> None:
    for name in ("schoolctl.yaml", ".schoolctl/sandbox.yaml"):
        file = bench.directory / name
        file.write_text(re.sub(r"(?m)^ *region: us-east-1\n", "", file.read_text()))


def _no_keys(bench: Bench) -> None:
    file = overlay_path(bench.directory, "sandbox")
    values = yaml.safe_load(file.read_text())
    del values["credentials"]
    file.write_text(yaml.safe_dump(values))


def _unknown_profile(bench: Bench) -> None:
    _no_keys(bench)
    bench.overlay({"profile": "nosuch"})


def _make_profile(bench: Bench) -> None:
    folder = Path(bench.environ["HOME"]) / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "credentials").write_text(
        "[nosuch]\naws_access_key_id = test\naws_secret_access_key = test\n"
    )


def _delete_execution_role(bench: Bench) -> None:
    _detach(bench)
    bench.client("iam").delete_role(RoleName=EXECUTION)


def _detach(bench: Bench) -> None:
    iam = bench.client("iam")
    attached = iam.list_attached_role_policies(RoleName=EXECUTION)["AttachedPolicies"]
    for each in attached:
        iam.detach_role_policy(RoleName=EXECUTION, PolicyArn=each["PolicyArn"])


def _delete_inline(bench: Bench) -> None:
    iam = bench.client("iam")
    for name in iam.list_role_policies(RoleName=TASK)["PolicyNames"]:
        iam.delete_role_policy(RoleName=TASK, PolicyName=name)


def _delete_task_role(bench: Bench) -> None:
    _delete_inline(bench)
    bench.client("iam").delete_role(RoleName=TASK)


def _trust_nobody(role: str) -> Callable[[Bench], object]:
    return lambda bench: bench.client("iam").update_assume_role_policy(
        RoleName=role, PolicyDocument=_TRUST_NOBODY
    )


def _delete_images(bench: Bench) -> None:
    ecr = bench.client("ecr")
    found = ecr.list_images(repositoryName=NAME)["imageIds"]
    digests = {each["imageDigest"] for each in found}
    ecr.batch_delete_image(
        repositoryName=NAME, imageIds=[{"imageDigest": each} for each in sorted(digests)]
    )


def _target_group(bench: Bench) -> Any:
    return bench.client("elbv2").describe_target_groups(Names=["schoolapp-tg"])["TargetGroups"][0]


def _other_health_path(bench: Bench) -> None:
    bench.client("elbv2").modify_target_group(
        TargetGroupArn=_target_group(bench)["TargetGroupArn"], HealthCheckPath="/nowhere"
    )


def _instance_targets(bench: Bench) -> None:
    elb = bench.client("elbv2")
    if not any(
        each["TargetGroupName"] == "by-instance"
        for each in elb.describe_target_groups()["TargetGroups"]
    ):
        elb.create_target_group(
            Name="by-instance", Protocol="HTTP", Port=3000, TargetType="instance",
            VpcId=_target_group(bench)["VpcId"], HealthCheckPath="/healthz",
        )  # fmt: skip
    bench.overlay({"service": {"target_group": "by-instance"}})


def _delete_listeners(bench: Bench) -> None:
    elb = bench.client("elbv2")
    for arn in _target_group(bench)["LoadBalancerArns"]:
        for each in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            elb.delete_listener(ListenerArn=each["ListenerArn"])


def _group(bench: Bench, name: str) -> Any:
    named = [{"Name": "group-name", "Values": [name]}]
    [found] = bench.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
    return found


def _open(name: str) -> Callable[[Bench], object]:
    """Let everybody in on the port that a group is open on."""

    def work(bench: Bench) -> None:
        group = _group(bench, name)
        [allowed] = group["IpPermissions"]
        everybody = {**allowed, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": _ANYWHERE}]}
        bench.client("ec2").authorize_security_group_ingress(
            GroupId=group["GroupId"], IpPermissions=[everybody]
        )

    return work


def _close_database(bench: Bench) -> None:
    ec2, group = bench.client("ec2"), _group(bench, _DATABASE)["GroupId"]
    of_it = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.describe_security_group_rules(Filters=of_it)["SecurityGroupRules"]
    ids = [each["SecurityGroupRuleId"] for each in rules if not each["IsEgress"]]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)


def _route_table(bench: Bench) -> Any:
    here = [{"Name": "vpc-id", "Values": [_target_group(bench)["VpcId"]]}]
    [table] = bench.client("ec2").describe_route_tables(Filters=here)["RouteTables"]
    return table


def _gateway(bench: Bench) -> str:
    vpc = _target_group(bench)["VpcId"]
    [found] = [
        each["InternetGatewayId"]
        for each in bench.client("ec2").describe_internet_gateways()["InternetGateways"]
        if vpc in {there["VpcId"] for there in each["Attachments"]}
    ]
    return str(found)


def _as_user(*allowed: str) -> Callable[[Bench], object]:
    """Work as a user whose policies are those of other commands."""

    def work(bench: Bench) -> None:
        iam = bench.client("iam")
        user = f"may-{'-'.join(allowed)}"
        iam.create_user(UserName=user)
        for command in (*allowed, "doctor"):
            printed = bench.sandbox.run("iam", "policy", "--for", command).out
            iam.put_user_policy(UserName=user, PolicyName=command, PolicyDocument=printed)
        # The emulator's simulation knows no conditions, and what has one is denied there.
        conditional = {
            "Effect": "Allow",
            "Action": ["iam:PassRole", "ecs:RunTask", "ecs:ListTasks"],
            "Resource": "*",
        }
        iam.put_user_policy(
            UserName=user,
            PolicyName="conditional",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [conditional]}),
        )
        key = iam.create_access_key(UserName=user)["AccessKey"]
        keys = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        bench.overlay({"credentials": keys})

    return work


CASES = {
    "no engine": Case(
        "docker engine",
        _environ("DOCKER_HOST", "unix:///nowhere.sock"),
        ("unset DOCKER_HOST",),
    ),
    "a Dockerfile for BuildKit alone": Case(
        "builder", _only_classic_builder, by_hand=_put_back, says="buildx"
    ),
    "a private key in the context": Case(
        "build context",
        _write("service/key.pem", _KEY),
        by_hand=_append(".dockerignore", "\nservice/key.pem\n"),
        says=".dockerignore",
    ),
    "no .dockerignore": Case(
        "build context",
        lambda bench: (bench.directory / ".dockerignore").unlink(),
        by_hand=_put_back,
        says=".dockerignore",
    ),
    "a lock file out of step": Case(
        "lock files",
        _lock_file_out_of_step,
        by_hand=_put_back,
        says="npm install --package-lock-only",
    ),
    "keys that git would take": Case(
        ".schoolctl/", _not_ignored, ("echo .schoolctl/ >> .gitignore",)
    ),
    "keys that git has": Case(
        ".schoolctl/", _tracked, ("echo .schoolctl/ >> .gitignore", "git rm -r --cached")
    ),
    "a key that is none": Case(
        "configuration",
        _append("schoolctl.yaml", "\nregoin: here\n"),
        by_hand=_put_back,
        says="schoolctl config check",
    ),
    "an unknown profile": Case(
        "profile",
        _unknown_profile,
        by_hand=_make_profile,
        says="aws configure --profile nosuch",
    ),
    "no region": Case("region", _no_region, by_hand=_put_back, says="add `region:`"),
    "an endpoint where nothing is": Case(
        "endpoint", _overlay({"endpoint_url": "http://127.0.0.1:9"}), ("schoolctl sandbox up",)
    ),
    "no credentials": Case("credentials", _no_keys, ("schoolctl sandbox up",)),
    "another account": Case(
        "account",
        _overlay({"account": "111122223333"}),
        by_hand=_put_back,
        says="correct `account`",
    ),
    "no repository": Case(
        "repository",
        lambda bench: bench.client("ecr").delete_repository(repositoryName=NAME, force=True),
        ("schoolctl repo create",),
        then={"running image": ("schoolctl push --tag 1.0",)},
    ),
    "no parameter": Case(
        "parameters",
        lambda bench: bench.client("ssm").delete_parameter(Name="/schoolapp/sandbox/db_host"),
        ("schoolctl params set db_host",),
    ),
    "a secret that is going to be deleted": Case(
        "secrets",
        lambda bench: bench.client("secretsmanager").delete_secret(
            SecretId="schoolapp/sandbox/db_password", RecoveryWindowInDays=7
        ),
        ("schoolctl secrets set db_password --restore",),
    ),
    "no execution role": Case(
        "execution role",
        _delete_execution_role,
        ("aws iam create-role", "aws iam attach-role-policy"),
    ),
    "an execution role for others": Case(
        "execution role", _trust_nobody(EXECUTION), ("aws iam update-assume-role-policy",)
    ),
    "no task role": Case(
        "task role",
        _delete_task_role,
        ("aws iam create-role",),
        then={"task role may": ("aws iam put-role-policy",)},
    ),
    "a task role for others": Case(
        "task role", _trust_nobody(TASK), ("aws iam update-assume-role-policy",)
    ),
    "an execution role that may nothing": Case(
        "execution role may", _detach, ("aws iam attach-role-policy",)
    ),
    "a task role that may read nothing": Case(
        "task role may", _delete_inline, ("aws iam put-role-policy",)
    ),
    "no cluster": Case(
        "cluster",
        _overlay({"service": {"cluster": "another"}}),
        ("aws ecs create-cluster",),
        leaves=frozenset({"service"}),
    ),
    "no log group": Case(
        "log group",
        lambda bench: bench.client("logs").delete_log_group(logGroupName=f"/ecs/{NAME}"),
        ("aws logs create-log-group",),
    ),
    "no such subnet": Case(
        "subnets",
        _overlay({"service": {"subnets": ["subnet-0123456789abcdef0"]}}),
        by_hand=_put_back,
        says="correct `service.subnets`",
    ),
    "no such security group": Case(
        "security groups",
        _overlay({"service": {"security_groups": ["schoolApp-new-sg"]}}),
        ("aws ec2 create-security-group",),
    ),
    "a target group for instances": Case(
        "target group", _instance_targets, by_hand=_put_back, says="make another target group"
    ),
    "no target group": Case(
        "target group",
        _overlay({"service": {"target_group": "another-tg"}}),
        ("aws elbv2 create-target-group",),
        leaves=frozenset({"listener", "load balancer", "balancer rules", "service rules"}),
    ),
    "a health check of another path": Case(
        "target group", _other_health_path, ("aws elbv2 modify-target-group",)
    ),
    "no listener": Case("listener", _delete_listeners, ("aws elbv2 create-listener",)),
    "a database open to the world": Case(
        "database rules", _open(_DATABASE), ("schoolctl network apply --fix",)
    ),
    "a way around the load balancer": Case(
        "service rules", _open(_TASKS), ("schoolctl network apply --fix",)
    ),
    "a database closed to the service": Case(
        "database rules", _close_database, ("schoolctl network apply",)
    ),
    "no route to the internet": Case(
        "routes",
        lambda bench: bench.client("ec2").delete_route(
            RouteTableId=_route_table(bench)["RouteTableId"], DestinationCidrBlock=_ANYWHERE
        ),
        ("aws ec2 create-route",),
        fills=lambda bench: {"IGW": _gateway(bench)},
    ),
    "no image": Case(
        "running image",
        _delete_images,
        ("schoolctl push --tag 1.0",),
        warns=frozenset({"images"}),
    ),
    "a user who may not push": Case(
        "you may push", _as_user("deploy"), ("aws iam put-user-policy",)
    ),
    "a user who may not deploy": Case(
        "you may deploy", _as_user("push"), ("aws iam put-user-policy",)
    ),
}
