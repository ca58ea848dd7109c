"""Bad tags, times, counts, engines and build contexts on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from schoolctl.core.lock_rules import Holder, render_holder
from tests.bad_input.case import Case
from tests.worlds.account import NAME, Account, serving

if TYPE_CHECKING:
    from tests.bad_input.scene import Scene

DOCKERFILE = {"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "1"}
ALLOWED = {**DOCKERFILE, ".dockerignore": "*\n!app\n"}
OPEN = {**DOCKERFILE, ".dockerignore": "# everything is sent\n"}
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{'canary' * 9}\n-----END RSA PRIVATE KEY-----\n"
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def _tag(tag: str, *says: str) -> Case:
    return Case(("push", "--tag", tag), says, files=ALLOWED, environ=NO_ENGINE)


def _time(words: str, *says: str) -> Case:
    return Case(words, says)


def _engine(host: str, *says: str) -> Case:
    return Case(
        "build --tag 1.0", says, ExitCode.FAILED, files=ALLOWED, environ={"DOCKER_HOST": host}
    )


def _context(name: str, content: str, *says: str) -> Case:
    return Case(
        "build --tag 1.0",
        says,
        ExitCode.FAILED,
        files={**OPEN, name: content},
        engine=True,
        hides="canary",
    )


def _serving(scene: Scene) -> None:
    serving(scene.aws, scene.directory)


def _nothing_deployed(scene: Scene) -> None:
    Account(scene.aws)


def _image_is_gone(scene: Scene) -> None:
    account = serving(scene.aws, scene.directory)
    account.register("0.9", "2026-11-02T07:00:00Z")
    image = account.definition(f"{NAME}:2")["containerDefinitions"][0]["image"]
    account.ecr.batch_delete_image(
        repositoryName=NAME, imageIds=[{"imageDigest": image.partition("@")[2]}]
    )


def _held(scene: Scene) -> None:
    _serving(scene)
    holder = Holder("theirs", who="ann", host="far", pid=7, command="schoolctl deploy --tag 1.4")
    scene.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/dev/lock", Value=render_holder(holder), Type="String"
    )


def _leaves_the_tree(scene: Scene) -> None:
    (scene.directory / "passwd").symlink_to("/etc/passwd")


def _two_gigabytes(scene: Scene) -> None:
    with (scene.directory / "dump.sql").open("wb") as file:
        file.truncate(2_500_000_000)


CASES = {
    # Tags
    "the tag latest": _tag("latest", "latest", "give each release its own tag"),
    "the tag Latest": _tag("LATEST", "LATEST"),
    "an empty tag": _tag("", "tag"),
    "a tag with a blank": _tag("1 0", "1 0"),
    "a tag with a slash": _tag("a/b", "a/b"),
    "a tag with a colon": _tag("x:1.0", "x:1.0"),
    "a tag that begins with a dot": _tag(".1", ".1"),
    "a tag of 129 characters": _tag("x" * 129, "tag"),
    "a tag with an umlaut": _tag("fr\u00fch", "fr\u00fch"),
    "a tag of a line break": _tag("1.0\n", "tag"),
    "latest to be deployed": Case("deploy --tag latest", "latest"),
    "latest to be pulled": Case("pull --tag latest", "latest", environ=NO_ENGINE),
    "a tag and a digest": Case(f"deploy --tag 1.0 --digest sha256:{'a' * 64}", "--digest"),
    "a digest that is none": Case("deploy --digest sha256:abc", "digest"),
    "a revision that is none": Case("deploy --revision 0", "--revision"),
    "a revision in words": Case("deploy --revision one", "--revision"),
    # Times and counts
    "a timeout of 0": _time("deploy --tag 1.0 --timeout 0", "--timeout 0 is no time to wait"),
    "a timeout of 1e9": _time("deploy --tag 1.0 --timeout 1e9", "is no time to wait"),
    "a timeout of nan": _time("deploy --tag 1.0 --timeout nan", "--timeout nan is no time"),
    "a timeout of inf": _time("deploy --tag 1.0 --timeout inf", "--timeout inf is no time"),
    "a timeout below 0": _time("deploy --tag 1.0 --timeout -5", "--timeout -5 is no time"),
    "a timeout in words": _time("deploy --tag 1.0 --timeout soon", "it is no number"),
    "a timeout with its unit": _time("deploy --tag 1.0 --timeout 5m", "it is no number"),
    "wait: a timeout of 0": _time("wait --timeout 0", "is no time to wait"),
    "scale: a timeout of 0": _time("scale 1 --timeout 0", "is no time to wait"),
    "restart: a timeout of nan": _time("restart --timeout nan", "is no time to wait"),
    "rollback: a timeout of 1e9": _time("rollback --timeout 1e9", "is no time to wait"),
    "run: a timeout of 0": _time("run --timeout 0 -- ls", "is no time to wait"),
    "a wait for a lock below 0": _time("deploy --tag 1.0 --lock-wait -1", "--lock-wait"),
    "a wait for a lock of nan": _time("deploy --tag 1.0 --lock-wait nan", "--lock-wait"),
    "a count below 0": _time("scale -1", "-1"),
    "a count of 1.5": _time("scale 1.5", "it is no whole number"),
    "a count in words": _time("scale two", "it is no whole number"),
    "no count": _time("scale", "neither a count nor limits"),
    "limits that are swapped": _time("scale --min 3 --max 2", "--min 3 is more than --max 2"),
    "a count beyond its limits": _time("scale 7 --max 6", "--max 6"),
    "a share of the CPU above all": _time("scale --cpu 101", "--cpu"),
    "a time that is none": _time("logs --since yesterday", "yesterday"),
    "a time to come": _time("logs --since -5m", "-5m"),
    "an age that is none": _time("images prune --older-than soon", "soon"),
    "an age below 0": _time("images prune --older-than -1d", "-1d"),
    "images to keep below 0": _time("images prune --keep -1", "--keep"),
    "an option that was removed": _time(
        "images prune --emit-lifecycle-policy", "No such option: --emit-lifecycle-policy"
    ),
    # What is there
    "an unknown command": Case("depoly", "depoly"),
    "an unknown option": Case("deploy --tga 1.0", "--tga"),
    "an option without its value": Case("deploy --tag", "--tag"),
    "a rollback of the first revision": Case(
        "rollback", "nothing to roll back to", ExitCode.FAILED, prepare=_serving
    ),
    "a rollback to what is not there": Case(
        "rollback --to 9", "there is no revision", ExitCode.FAILED, prepare=_serving
    ),
    "a rollback to what has no image": Case(
        "rollback --to 2",
        "the image of revision schoolapp-backend:2 is gone",
        prepare=_image_is_gone,
        asks=True,
    ),
    "a rollback of nothing": Case(
        "rollback", "there is no service", ExitCode.FAILED, prepare=_nothing_deployed
    ),
    "a deploy of what is not there": Case(
        "deploy --tag 9.9", "9.9", ExitCode.FAILED, prepare=_serving
    ),
    "a deploy beside another": Case(
        "deploy --tag 1.1", ("ann", "schoolctl deploy --tag 1.4"), ExitCode.BUSY, prepare=_held
    ),
    "a rollback beside a deploy": Case("rollback", "ann", ExitCode.BUSY, prepare=_held),
    "a lock of another id": Case(
        "lock release --id other --yes", "other", ExitCode.FAILED, prepare=_held
    ),
    # Engines
    "no engine": _engine("unix:///nowhere/docker.sock", "/nowhere/docker.sock"),
    "an engine over ssh": _engine("ssh://me@far", "ssh://"),
    "an engine that refuses": _engine("tcp://127.0.0.1:9", "127.0.0.1:9"),
    "an engine that is no URL": _engine("nowhere", "nowhere"),
    # Build contexts
    "no .dockerignore": Case(
        "build --tag 1.0", ".dockerignore", ExitCode.FAILED, files=DOCKERFILE, environ=NO_ENGINE
    ),
    "no Dockerfile": Case(
        "build --tag 1.0",
        ("Dockerfile", "correct `image.dockerfile`"),
        files={".dockerignore": "*\n", "app": "1"},
        environ=NO_ENGINE,
    ),
    "a .env file": _context(".env", "PASSWORD=canary\n", ".env"),
    "a .env file below": _context("config/.env.prod", "PASSWORD=canary\n", ".env.prod"),
    "a private key": _context("server.pem", KEY, "server.pem"),
    "a private key by another name": _context("notes.txt", KEY, "notes.txt"),
    "a git folder": _context(".git/config", "[remote]\n", ".git"),
    "AWS credentials": _context(".aws/credentials", "canary\n", ".aws"),
    "a link out of the tree": Case(
        "build --tag 1.0",
        "passwd",
        ExitCode.FAILED,
        files=OPEN,
        engine=True,
        prepare=_leaves_the_tree,
    ),
    "2 GB": Case(
        "build --tag 1.0",
        "dump.sql",
        ExitCode.FAILED,
        files=OPEN,
        engine=True,
        prepare=_two_gigabytes,
    ),
}
