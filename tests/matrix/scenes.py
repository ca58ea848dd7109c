"""The commands of the matrix: what is there before each, and how it is called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.worlds.account import NAME, edit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matrix.world import World


@dataclass(frozen=True)
class Scene:
    """A command line, what it is to find, and what it reads from a pipe."""

    words: tuple[str, ...]
    prepare: Callable[[World], object]
    stdin: str = ""
    over_with: str = ""
    """The call after which a second run is another change, and not the same one again."""
    changes_with: str = ""
    """How the step begins after which a run that fails is not run again, but waited for."""


WITH_STACK = """\
app: college
infra: {stack: true}
image: {}
secrets: {db_password: {env: DB_SECRET_ARN}}
task: {family: college}
service: {name: college}
environments: {dev: {region: us-east-1}}
"""


def _no_stack(world: World) -> None:
    world.write("stack.yaml", WITH_STACK)


def _with_stack(world: World) -> None:
    _no_stack(world)
    laid = world.run("infra", "up", "-c", "stack.yaml")
    assert laid.code == 0, laid
    world.faults.calls.clear()  # of what comes, not of this


def _values(world: World) -> None:
    """Leave one parameter and the secret out, so that some are created and others changed."""
    world.aws.client("ssm").delete_parameter(Name="/schoolapp/dev/db_name")
    world.aws.client("secretsmanager").delete_secret(
        SecretId="schoolapp/dev/db_password", ForceDeleteWithoutRecovery=True
    )
    world.write(
        "values.env",
        "db_host=db.example\ndb_name=school\ndb_user=canary-parameter\ndb_password=new\n",
    )


def _scheduled_for_deletion(world: World) -> None:
    world.aws.client("secretsmanager").delete_secret(
        SecretId="schoolapp/dev/db_password", RecoveryWindowInDays=7
    )


def _nothing_deployed(world: World) -> None:
    edit(world.directory, "  security_groups:", "  release_command: [migrate]\n  security_groups:")
    world.account.push("1.0")


def one_deployed(world: World) -> None:
    """Leave 1.0 running, and 1.1 in the repository."""
    edit(world.directory, "  security_groups:", "  release_command: [migrate]\n  security_groups:")
    world.account.register("1.0", "2026-11-02T08:01:00Z")
    world.serve(f"{NAME}:1")
    world.account.push("1.1")


def _two_deployed(world: World) -> None:
    for number, tag in enumerate(("0.9", "1.0", "1.1"), 1):
        world.account.register(tag, f"2026-11-02T08:0{number}:00Z")
    world.serve(f"{NAME}:3")


def _many_images(world: World) -> None:
    """Leave images that go, an index with its child among them, and some that stay."""
    edit(world.directory, "task:\n", "images: {keep: 1, keep_days: 0}\ntask:\n")
    for tag in ("0.1", "0.2", "0.3"):
        world.account.push(tag)
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
    world.account.register("1.0", "2026-11-02T08:01:00Z")
    world.serve(f"{NAME}:1")
    world.account.push("1.1")


def network_half_laid(world: World) -> None:
    """Leave a group of the three, with a rule too many and its own missing."""
    edit(
        world.directory,
        "service:\n",
        "network: {service_group: schoolApp-ecs-sg}\nservice:\n",
    )
    world.aws.client("ec2").authorize_security_group_ingress(
        GroupId=world.account.group_id,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 3000,
                "ToPort": 3010,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
        ],
    )


def something_to_build(world: World) -> None:
    """Leave a project whose image is made in a moment."""
    world.take_pushes()
    world.write("Dockerfile", "FROM scratch\nCOPY app /app\n")
    world.write(".dockerignore", "*\n!app\n")
    world.write("app", "1")


PUSH = Scene(("push", "--tag", "1.0"), something_to_build)
"""Apart from the others: it takes an engine."""
SCENES = {
    "params set": Scene(("params", "set", "--from-file", "values.env"), _values),
    "params delete": Scene(("params", "delete", "db_host", "--yes"), lambda world: world),
    "secrets set": Scene(
        ("secrets", "set", "db_password", "--stdin"), lambda world: world, "a-new-one"
    ),
    "secrets set --restore": Scene(
        ("secrets", "set", "db_password", "--stdin", "--restore"),
        _scheduled_for_deletion,
        "a-new-one",
    ),
    "first deploy": Scene(("deploy", "--tag", "1.0"), _nothing_deployed),
    "deploy": Scene(("deploy", "--tag", "1.1"), one_deployed),
    # Without its lock, nothing tells a rollback that is over from one that went well.
    "rollback": Scene(
        ("rollback",), _two_deployed, over_with="DeleteParameter", changes_with="update service"
    ),
    "network apply": Scene(("network", "apply", "--fix", "--yes"), network_half_laid),
    "infra up": Scene(("infra", "up", "-c", "stack.yaml"), _no_stack),
    "infra down": Scene(("infra", "down", "--yes", "-c", "stack.yaml"), _with_stack),
    "images prune": Scene(
        ("images", "prune", "--yes"),
        _many_images,
    ),
}
