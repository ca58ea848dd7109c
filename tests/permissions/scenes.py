"""Every command that needs permissions, in as many scenes as it takes to need all of them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.iam.permission import Case
from tests.matrix.scenes import network_half_laid, something_to_build
from tests.permissions.guarded import CRASHES, FAILS, GOES_ON
from tests.worlds.account import NAME, edit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.permissions.guarded import Guarded

VALUES = "db_host=db.example\ndb_name=school\ndb_user=app\ndb_password=new\n"


def nothing(world: Guarded) -> None:
    """Leave it as it is."""
    del world


@dataclass(frozen=True)
class Scene:
    """A command line, and what it is to find beside a service that runs.

    Attributes:
        words: what follows `schoolctl`.
        prepare: makes what it finds.
        stdin: what it reads from a pipe.
        code: how it ends when everything is allowed.
        changes: whether it changes something, so that it needs a new world for each run.
        case: what it is a case of, where that decides what the command can do without.
    """

    words: tuple[str, ...]
    prepare: Callable[[Guarded], object] = nothing
    stdin: str = ""
    code: int = 0
    changes: bool = True
    case: Case | None = None


def running(world: Guarded) -> None:
    """Leave a service that runs 1.0, and 2.0 in the repository with all that stands in an image."""
    something_to_build(world)
    world.write("values.env", VALUES)
    edit(world.directory, "  security_groups:", "  release_command: [migrate]\n  security_groups:")
    world.aws.client("logs").create_log_group(logGroupName=f"/ecs/{NAME}")
    world.register("1.0", "2026-11-02T08:01:00Z")
    world.serve(f"{NAME}:1")
    world.allow(world.permissions("push"))
    done = world.as_user("push", "--tag", "2.0")
    assert done.exit_code == 0, done.stderr


def _looking(*words: str) -> Scene:
    return Scene(words, changes=False)


def _with_two(world: Guarded) -> None:
    world.register("1.1", "2026-11-02T08:02:00Z")
    world.update_service(taskDefinition=f"{NAME}:2")


def _with_nothing_deployed(world: Guarded) -> None:
    world.account.ecs.delete_service(cluster="schoolapp", service=NAME, force=True)
    world.aws.client("logs").delete_log_group(logGroupName=f"/ecs/{NAME}")


def _with_many_images(world: Guarded) -> None:
    edit(world.directory, "task:\n", "images: {keep: 1, keep_days: 0}\ntask:\n")
    _with_old_revisions(world)
    for number in range(3):
        world.account.push(f"0.{number}")
    _with_index(world)


def _with_index(world: Guarded) -> None:
    """Leave an image that is made of others."""
    child = world.account.push("0.5-child")
    world.account.ecr.put_image(
        repositoryName=NAME,
        imageManifest=json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [{"digest": child, "size": 1}],
            }
        ),
        imageManifestMediaType="application/vnd.oci.image.index.v1+json",
        imageTag="0.4-index",
    )


def _with_nothing_forwarding(world: Guarded) -> None:
    """Have the load balancer answer by itself."""
    _with_index(world)
    elb = world.aws.client("elbv2")
    [balancer] = elb.describe_load_balancers()["LoadBalancers"]
    [listener] = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[answer])


def _scanning(world: Guarded) -> None:
    world.account.ecr.put_image_scanning_configuration(
        repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}
    )


def _without_repository(world: Guarded) -> None:
    world.account.ecr.delete_repository(repositoryName=NAME, force=True)


def _without_secret(world: Guarded) -> None:
    world.aws.client("secretsmanager").delete_secret(
        SecretId="schoolapp/dev/db_password", ForceDeleteWithoutRecovery=True
    )


def _with_deleted_secret(world: Guarded) -> None:
    world.aws.client("secretsmanager").delete_secret(
        SecretId="schoolapp/dev/db_password", RecoveryWindowInDays=7
    )


def _with_lock(world: Guarded) -> None:
    world.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/dev/lock", Type="String", Value=json.dumps({"id": "gone"})
    )


def _with_old_revisions(world: Guarded) -> None:
    world.register("0.9")
    world.register("0.8")


def _with_unmarked(world: Guarded) -> None:
    world.register("1.1")
    world.update_service(taskDefinition=f"{NAME}:2")


def _with_rollout(world: Guarded) -> None:
    """Have a deployment of 1.1 in progress."""
    _with_two(world)
    world.story = GOES_ON


def _with_crashes(world: Guarded) -> None:
    """Have every new deployment's tasks crash."""
    world.story = CRASHES


def _with_failing(world: Guarded) -> None:
    """Have every new deployment fail."""
    world.story = FAILS


def _with_unmarked_first(world: Guarded) -> None:
    world.register("1.1", "2026-11-02T08:02:00Z")
    world.register("1.2")
    world.update_service(taskDefinition=f"{NAME}:2")


def _refusing(world: Guarded) -> None:
    """Have the registry refuse a push without a word."""
    world.faults.always("PUT manifests", lambda exchange: exchange.reply(403, b""))


def _with_two_failing(world: Guarded) -> None:
    _with_two(world)
    _with_failing(world)


def _with_stopped_tasks(world: Guarded) -> None:
    for arn in world.account.ecs.list_tasks(cluster="schoolapp")["taskArns"]:
        world.account.ecs.stop_task(cluster="schoolapp", task=arn, reason="it failed")


def _with_auto_scaling(world: Guarded) -> None:
    world.scaled = {"MinCapacity": 2, "MaxCapacity": 6}


def _with_endless_release(world: Guarded) -> None:
    edit(world.directory, "  security_groups:", "  release_timeout: 5\n  security_groups:")
    _never_ending(world)


def _never_ending(world: Guarded) -> None:
    """Have a one-off task go on for ever."""
    world.faults.rewrite("RunTask", bytes)
    world.faults.rewrite("DescribeTasks", bytes)


def _with_exec(world: Guarded) -> None:
    folder = world.folder / "bin"
    folder.mkdir()
    plugin = folder / "session-manager-plugin"
    plugin.write_text(f"#!{sys.executable}\nprint('1.2.707.0')\n")
    plugin.chmod(0o755)
    world.more_environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    world.faults.rewrite("DescribeTasks", _with_agents)


def _with_rotation(world: Guarded) -> None:
    edit(world.directory, "{env: DB_SECRET_ARN,", "{env: DB_SECRET_ARN, rotate_command: [rotate],")


def _endless_rotation(world: Guarded) -> None:
    _with_rotation(world)
    _never_ending(world)


def _with_agents(content: bytes) -> bytes:
    answer = json.loads(content)
    for task in answer.get("tasks", ()):
        task["enableExecuteCommand"] = True
        for each in task["containers"]:
            each |= {
                "runtimeId": "r-1",
                "managedAgents": [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}],
            }
    return json.dumps(answer).encode()


def _network_half_laid(world: Guarded) -> None:
    """Leave a group whose egress is closed, with the app's tag and a rule too many."""
    network_half_laid(world)
    ec2 = world.aws.client("ec2")
    ec2.create_tags(
        Resources=[world.account.group_id], Tags=[{"Key": "schoolctl", "Value": "schoolapp"}]
    )
    ec2.revoke_security_group_egress(
        GroupId=world.account.group_id,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )


UNSEEN = {
    "secrets rotate": {"secretsmanager:RotateSecret": "the emulator has no rotation of its own"},
}
"""What no scene calls for, and why."""
SCENES: dict[str, tuple[Scene, ...]] = {
    "deploy": (
        Scene(("deploy", "--tag", "2.0")),
        Scene(("deploy", "--tag", "2.0"), _with_nothing_deployed, case=Case.CREATION),
        Scene(("deploy", "--tag", "2.0"), _with_endless_release, code=3),
        Scene(("deploy", "--tag", "2.0", "--fail-fast", "1"), _with_crashes, code=3),
    ),
    "diff": (_looking("diff", "--tag", "2.0"),),
    # Its clock is a fake, and so not that of AWS.
    "doctor": (Scene(("doctor",), _with_nothing_forwarding, code=1, changes=False),),
    "events": (_looking("events"),),
    "exec": (Scene(("exec", "--", "ls"), _with_exec),),
    "history": (Scene(("history",), _with_two, changes=False),),
    "images list": (_looking("images", "list"),),
    "images show": (_looking("images", "show", "2.0"),),
    "images prune": (Scene(("images", "prune", "--yes", "--deregister"), _with_many_images),),
    "init": (Scene(("init", "--from-service", f"schoolapp/{NAME}", "--config", "new.yaml")),),
    "login": (Scene(("login",)),),
    "logs": (_looking("logs"),),
    "lock release": (Scene(("lock", "release", "--id", "gone", "--yes"), _with_lock),),
    "lock show": (_looking("lock", "show"),),
    "network apply": (Scene(("network", "apply", "--fix", "--yes"), _network_half_laid),),
    "network check": (Scene(("network", "check"), code=10, changes=False),),
    "params delete": (Scene(("params", "delete", "db_host", "--yes", "--force")),),
    "params diff": (_looking("params", "diff", "--from-file", "values.env"),),
    "params export": (_looking("params", "export", "--reveal"),),
    "params history": (_looking("params", "history", "db_host"),),
    "params import": (
        Scene(("params", "import", "values.env")),
        Scene(("params", "import", "values.env"), _without_secret),
    ),
    "params get": (_looking("params", "get", "db_host"),),
    "params list": (_looking("params", "list"),),
    "params set": (
        Scene(("params", "set", "--from-file", "values.env")),
        Scene(("params", "set", "--from-file", "values.env"), _without_secret),
        Scene(("params", "set", "--from-rds", "nowhere"), code=1, changes=False),
    ),
    "pull": (Scene(("pull", "--tag", "2.0")),),
    "push": (
        Scene(("push", "--tag", "3.0"), _scanning),
        Scene(("push", "--tag", "2.0", "--create-repo"), _without_repository),
        _looking("push", "--tag", "2.0"),
        Scene(("push", "--tag", "3.0"), _refusing, code=1),
    ),
    "repo create": (Scene(("repo", "create"), _without_repository),),
    "repo show": (_looking("repo", "show"),),
    "restart": (
        Scene(("restart",)),
        Scene(("restart",), _with_unmarked),
        Scene(("restart",), _with_failing, code=3),
    ),
    "rollback": (
        Scene(("rollback",), _with_two),
        Scene(("rollback",), _with_rollout),
        Scene(("rollback", "--to", "3"), _with_unmarked_first),
        Scene(("rollback",), _with_two_failing, code=3),
    ),
    "run": (
        Scene(("run", "--", "python", "-m", "migrate")),
        Scene(("run", "--tag", "1.0", "--", "python", "-m", "migrate")),
        Scene(("run", "--timeout", "5", "--", "sleep", "9"), _never_ending, code=7),
    ),
    "scale": (
        Scene(("scale", "3")),
        Scene(("scale", "3", "--timeout", "5"), _with_failing, code=7),
        Scene(("scale", "--min", "2", "--max", "6", "--requests", "500"), case=Case.AUTO_SCALING),
        Scene(("scale", "--no-auto", "--yes"), _with_auto_scaling, case=Case.AUTO_SCALING),
    ),
    "secrets list": (_looking("secrets", "list"),),
    "secrets rotate": (
        Scene(("secrets", "rotate", "db_password"), _with_rotation),
        Scene(("secrets", "rotate", "db_password", "--timeout", "5"), _endless_rotation, code=3),
    ),
    "secrets set": (
        Scene(("secrets", "set", "db_password", "--stdin"), stdin="a-new-one"),
        Scene(("secrets", "set", "db_password", "--stdin"), _without_secret, "a-new-one"),
        Scene(
            ("secrets", "set", "db_password", "--stdin", "--restore"),
            _with_deleted_secret,
            "a-new-one",
        ),
    ),
    "status": (_looking("status"),),
    "taskdef deregister": (Scene(("taskdef", "deregister", "2", "--yes"), _with_old_revisions),),
    "taskdef diff": (_looking("taskdef", "diff", "--tag", "2.0"),),
    "taskdef list": (_looking("taskdef", "list"),),
    "taskdef register": (Scene(("taskdef", "register", "--tag", "2.0")),),
    "taskdef render": (_looking("taskdef", "render", "--tag", "2.0"),),
    "tasks": (_looking("tasks"),),
    "wait": (
        Scene(("wait",), _with_unmarked),
        Scene(("wait",), _with_failing, code=3),
    ),
    "why": (Scene(("why",), _with_stopped_tasks, changes=False),),
}
