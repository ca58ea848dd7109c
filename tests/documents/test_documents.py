"""The JSON document, the messages and the exit code of commands, on accounts prepared alike.

They pin what the commands do as it is seen from outside: nothing here names a module of the
product. What differs from one run to the next - ids, ports, folders - is replaced by a name, and
time stands still.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import Exchange
from tests.matrix.emulator import Emulator
from tests.matrix.scenes import WITH_STACK, something_to_build
from tests.permissions.guarded import Guarded
from tests.permissions.scenes import SCENES, VALUES, Scene
from tests.scripted_aws import Refusal
from tests.snapshots import check_snapshot
from tests.worlds.account import NAME, edit
from tests.worlds.answers import DEFINITION, log_event, service_answer, task_json
from tests.worlds.scenes import (
    FAILED,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Project, Result
    from tests.faults import Faults
    from tests.scripted_aws import Answer, ScriptedAws

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"
HEALTH = """\
<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>10.0.0.7</Id>
<Port>3000</Port></Target><TargetHealth><State>unhealthy</State><Reason>Target.Timeout</Reason>
</TargetHealth></member></TargetHealthDescriptions></DescribeTargetHealthResult>
</DescribeTargetHealthResponse>"""

# What is there before a command


INTO_IMAGES = {"build", "deploy", "diff", "images", "pull", "push", "taskdef"}
"""The commands that look into images; for all others a name in ECR is enough, and made sooner."""


def running(world: Guarded, command: str) -> None:
    """Leave a service that runs 1.0, and 2.0 in the repository."""
    world.more_environ |= {
        "AWS_ACCESS_KEY_ID": world.aws.account,  # of the account itself: it may do everything
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    something_to_build(world)
    world.write("values.env", VALUES)
    world.write("stack.yaml", WITH_STACK)
    edit(world.directory, "  security_groups:", "  release_command: [migrate]\n  security_groups:")
    world.aws.client("logs").create_log_group(logGroupName=f"/ecs/{NAME}")
    world.register("1.0", "2026-11-02T08:01:00Z")
    world.serve(f"{NAME}:1")
    if command in INTO_IMAGES:
        done(world, "push", "--tag", "2.0")
    else:
        world.account.push("2.0")


def done(world: Guarded, *words: str) -> None:
    """Run a command that has to go well."""
    result = world.as_user(*words)
    assert result.exit_code == 0, result.output


def deployed(world: Guarded) -> None:
    done(world, "deploy", "--tag", "2.0")


def values_set(world: Guarded) -> None:
    done(world, "params", "set", "--from-file", "values.env")


def laid(world: Guarded) -> None:
    done(world, "infra", "up", "-c", "stack.yaml")


def network_laid(world: Guarded) -> None:
    done(world, "network", "apply", "--yes")


def locked(world: Guarded) -> None:
    """Leave the deploy lock of somebody elsewhere."""
    holder = {
        "id": "lock-1",
        "who": "ann",
        "host": "laptop",
        "pid": 7,
        "started": "",
        "command": "schoolctl deploy --tag 2.0",
        "at": "2026-11-02T08:59:00Z",
    }
    world.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/dev/lock", Type="String", Value=json.dumps(holder)
    )


def without_values(world: Guarded) -> None:
    ssm = world.aws.client("ssm")
    for key in ("db_host", "db_name", "db_user"):
        ssm.delete_parameter(Name=f"/schoolapp/dev/{key}")


def denied(world: Guarded) -> None:
    world.faults.deny("UpdateService", "ecs:UpdateService")


@dataclass(frozen=True)
class Bare:
    """A command line in an account that has nothing."""

    words: tuple[str, ...]
    code: int = 0
    prepare: Callable[[Project, pytest.MonkeyPatch], object] | None = None


def without_config(project: Project, _: pytest.MonkeyPatch) -> None:
    (project.directory / "schoolctl.yaml").unlink()


def misspelt(project: Project, _: pytest.MonkeyPatch) -> None:
    edit(project.directory, "  cpu: 256", "  cpuu: 256")


def without_credentials(_: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def with_profiles(_: Project, __: pytest.MonkeyPatch) -> None:
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile school]\nregion = us-east-1\n")
    (folder / "credentials").write_text(
        "[school]\naws_access_key_id = AKIAABCDEFGHWXYZ\naws_secret_access_key = testing\n"
    )


# The cases

MORE = {
    "build": Scene(("build", "--tag", "3.0")),
    "build-dry-run": Scene(("build", "--tag", "3.0", "--dry-run")),
    "push-dry-run": Scene(("push", "--tag", "3.0", "--dry-run")),
    "pull-unknown": Scene(("pull", "--tag", "9.9"), code=1),
    "deploy-again": Scene(("deploy", "--tag", "2.0"), deployed),
    "deploy-dry-run": Scene(("deploy", "--tag", "2.0", "--dry-run")),
    "deploy-missing": Scene(("deploy", "--tag", "9.9"), without_values, code=1),
    "deploy-locked": Scene(("deploy", "--tag", "2.0"), locked, code=4),
    "deploy-denied": Scene(("deploy", "--tag", "2.0"), denied, code=1),
    "deploy-no-wait": Scene(("deploy", "--tag", "2.0", "--no-wait")),
    "rollback-nowhere": Scene(("rollback",), code=1),
    "rollback-dry-run": Scene(("rollback", "--dry-run"), deployed),
    "scale-again": Scene(("scale", "2")),
    "scale-dry-run": Scene(("scale", "3", "--dry-run")),
    "wait-settled": Scene(("wait",)),
    "diff-exit-code": Scene(("diff", "--tag", "2.0", "--exit-code"), code=10),
    "diff-none": Scene(("diff", "--tag", "2.0", "--exit-code"), deployed),
    "images-show-unknown": Scene(("images", "show", "9.9"), code=1),
    "images-prune-dry-run": Scene(("images", "prune", "--keep", "1", "--dry-run")),
    "lock-show-held": Scene(("lock", "show"), locked),
    "lock-release-free": Scene(("lock", "release", "--id", "gone", "--yes")),
    "params-list-set": Scene(("params", "list", "--reveal"), values_set),
    "params-set-again": Scene(("params", "set", "--from-file", "values.env"), values_set),
    "params-get-unknown": Scene(("params", "get", "nosuch"), code=2),
    "params-missing": Scene(("params", "list"), without_values),
    "network-check-laid": Scene(("network", "check"), network_laid, code=10),
    "infra-plan": Scene(("infra", "plan", "-c", "stack.yaml")),
    "infra-up": Scene(("infra", "up", "-c", "stack.yaml")),
    "infra-up-again": Scene(("infra", "up", "-c", "stack.yaml"), laid),
    "infra-status": Scene(("infra", "status", "-c", "stack.yaml"), laid),
    "infra-outputs": Scene(("infra", "outputs", "-c", "stack.yaml"), laid),
    "infra-down": Scene(("infra", "down", "--yes", "-c", "stack.yaml"), laid),
}
OF_PERMISSIONS = {
    "-".join((*command.split(), *([str(number)] if number > 1 else ()))): scene
    for command, scenes in SCENES.items()
    for number, scene in enumerate(scenes, 1)
}
ON_EMULATOR = OF_PERMISSIONS | MORE
IN_EMPTY_ACCOUNT = {
    "push-latest": Bare(("push", "--tag", "latest"), code=2),
    "deploy-wrong-account": Bare(("deploy", "-e", "other", "--tag", "2.0"), code=5),
    "config-show": Bare(("config", "show")),
    "config-check": Bare(("config", "check")),
    "config-check-misspelt": Bare(("config", "check"), code=2, prepare=misspelt),
    "config-schema": Bare(("config", "schema")),
    "config-missing": Bare(("status",), code=2, prepare=without_config),
    "init-new": Bare(("init", "--app", "school"), prepare=without_config),
    "init-there": Bare(("init", "--app", "school"), code=1),
    "init-ci": Bare(("init", "--ci", "github")),
    "profile-list": Bare(("profile", "list"), prepare=with_profiles),
    "profile-show": Bare(("profile", "show")),
    "profile-use": Bare(("profile", "use", "school"), prepare=with_profiles),
    "iam-policy": Bare(("iam", "policy", "--for", "push")),
    "unknown-option": Bare(("params", "list", "--bogus"), code=2),
    "unknown-command": Bare(("pus",), code=2),
    "no-command": Bare(("params",), code=2),
    "no-credentials": Bare(("status",), code=6, prepare=without_credentials),
    "version": Bare(("--version",)),
    "help": Bare(("images", "--help")),
    "params-list-empty": Bare(("params", "list")),
    "repo-create-new": Bare(("repo", "create")),
    "repo-show-missing": Bare(("repo", "show"), code=1),
    "deploy-everything-missing": Bare(("deploy", "--tag", "2.0"), code=1),
    "status-missing": Bare(("status",), code=1),
}
ON_WRITTEN_ANSWERS = {
    "told-status": ("status",),
    "told-why": ("why",),
    "told-tasks": ("tasks", "--all"),
    "told-events": ("events",),
    "told-logs": ("logs", "--since", "1h"),
    "told-run": ("run", "--", "false"),
    "told-wait": ("wait",),
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return a local AWS without an engine."""
    started = Emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _same_at_any_time_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all that AWS tells of happen when the command begins, with as much disk and patience."""
    monkeypatch.setattr(Exchange, "reply", reply_at_once)
    monkeypatch.setattr(Exchange, "date_time_string", lambda _: format_datetime(_NOW, usegmt=True))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=81 * 10**9))
    monkeypatch.setattr("concurrent.futures._base._create_and_install_waiters", wait_patiently)


@pytest.fixture
def world(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> Iterator[Guarded]:
    """Return an account of its own with a running service."""
    made = Guarded(emulator, tmp_path / "world", monkeypatch)
    running(made, ON_EMULATOR[name].words[0])
    yield made
    made.forget()


@pytest.mark.parametrize("name", ON_EMULATOR)
def test_the_document_is_as_reviewed(world: Guarded, name: str) -> None:
    scene = ON_EMULATOR[name]
    scene.prepare(world)
    result = world.as_user("--json", *scene.words, stdin=scene.stdin)
    world_has = (str(world.folder), world.faults.host, world.aws.account)
    names = dict(zip(world_has, ("FOLDER", "HOST", "ACCOUNT"), strict=True))
    check(name, result, names)
    assert result.exit_code == scene.code, result.output


@pytest.mark.parametrize("name", IN_EMPTY_ACCOUNT)
def test_the_document_of_an_empty_account_is_as_reviewed(
    project: Project, faults: Faults, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bare = IN_EMPTY_ACCOUNT[name]
    if bare.prepare is not None:
        bare.prepare(project, monkeypatch)
    result = project.invoke("--json", *bare.words)
    check(name, result, {str(project.directory.parent): "FOLDER", faults.host: "HOST"})
    assert result.exit_code == bare.code, result.output


@pytest.mark.parametrize("name", ON_WRITTEN_ANSWERS)
def test_the_document_of_what_aws_tells_is_as_reviewed(
    project: Project, scripted: ScriptedAws, name: str
) -> None:
    a_rollout_that_was_rolled_back(scripted)
    result = project.invoke("--json", *ON_WRITTEN_ANSWERS[name])
    check(name, result, {str(project.directory): "FOLDER"})


def a_rollout_that_was_rolled_back(scripted: ScriptedAws) -> None:
    """Have ECS tell of tasks that crashed, and of the old ones that run again."""
    state = service(
        deployment(state=FAILED, status="ACTIVE", failed=3, created=-60),
        old(status="PRIMARY", running=2),
        events=("(service web) was unable to place a task.", "(service web) is steady."),
        target_groups=(GROUP,),
    )
    crashed = task_json(stopped(id_="cc" * 16, created=-30))
    runs = task_json(stopped("", "", container(None, status="RUNNING"), id_="aa" * 16))
    runs |= {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "healthStatus": "HEALTHY"}
    del runs["stoppedAt"]
    tasks = {each["taskArn"]: each for each in (crashed, runs)}
    lines = [
        log_event(text, -20, eventId=text, logStreamName=f"ecs/web/{'cc' * 16}")
        for text in ("starting", "(1045, \"Access denied for user 'school'\")")
    ]

    def listed(request: dict[str, Any]) -> Answer:
        ended = request["desiredStatus"] == "STOPPED"
        return {"taskArns": [(crashed if ended else runs)["taskArn"]]}

    def described(request: dict[str, Any]) -> Answer:
        return {"tasks": [tasks[each] for each in request["tasks"]]}

    def page(request: dict[str, Any]) -> Answer:
        return {"events": [] if "nextToken" in request else lines, "nextForwardToken": "f"}

    scripted.answer("DescribeServices", *service_answer(state))
    scripted.answer("ListTasks", listed)
    scripted.answer("DescribeTasks", described)
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    scripted.answer("DescribeTargetHealth", HEALTH)
    scripted.answer("RunTask", {"tasks": [crashed], "failures": []})
    scripted.answer("GetLogEvents", page)
    scripted.answer("FilterLogEvents", {"events": lines})
    scripted.answer("GetParameters", {"Parameters": [], "InvalidParameters": []})
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))
    scripted.answer("DescribeSecret", Refusal("ResourceNotFoundException"))
    scripted.answer("DescribeScalableTargets", {"ScalableTargets": []})


def test_each_case_has_a_file_of_its_own() -> None:
    names = [*OF_PERMISSIONS, *MORE, *IN_EMPTY_ACCOUNT, *ON_WRITTEN_ANSWERS]
    folder = Path(__file__).parents[1] / "snapshots" / "documents"
    assert sorted(names) == sorted(path.stem for path in folder.iterdir())


# What differs from run to run

_NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # when a fake clock begins
_EPOCH = rb'("(?!imagePushedAt|expiresAt)\w*(?:At|Date)": ?)[\d.]+'
_ISO = rb"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z"


_reply = Exchange.reply


def reply_at_once(
    exchange: Exchange, status: int, content: bytes, headers: dict[str, str] | None = None
) -> None:
    """Answer as the proxy does, every time replaced by that of the fake clock."""
    if not exchange.path.startswith("/v2/"):  # an image is what its digest says
        content = re.sub(_EPOCH, rb"\g<1>%d" % _NOW.timestamp(), content)
        if content.startswith(b"<"):
            content = re.sub(_ISO, f"{_NOW:%Y-%m-%dT%H:%M:%SZ}".encode(), content)
    kept = {name: value for name, value in (headers or {}).items() if name.lower() != "date"}
    _reply(exchange, status, content, kept)


_install: Any = concurrent.futures._base._create_and_install_waiters  # type: ignore[attr-defined]  # noqa: SLF001


def wait_patiently(futures: Any, return_when: str) -> Any:
    """Wait a minute longer: a verdict does without what is read beside it when that is late."""
    waiter = _install(futures, return_when)
    wait = waiter.event.wait
    waiter.event.wait = lambda seconds=None: wait(None if seconds is None else seconds + 60)
    return waiter


_HEX = "[0-9a-f]"
_IDS = {
    "DIGEST": rf"\b{_HEX}{{64}}\b|(?<=digest ){_HEX}{{12}}\b|(?<=sha256:){_HEX}{{12}}\b",
    "ID": rf"\b{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\b|(?<=task ){_HEX}{{8}}\b",
    "DEPLOYMENT": rf"(?<=/){_HEX}{{20}}\b",
    "GROUP": rf"(?<=\bsg-){_HEX}{{17}}\b",
    "RULE": rf"(?<=\bsgr-){_HEX}{{17}}\b",
    "SUFFIX": rf"(?<=/db_password-){_HEX}{{6}}\b",
    "VPC": rf"(?<=\bvpc-){_HEX}{{17}}\b",
    "BALANCER": r"(?<=/alb/)[0-9a-z]{16}\b|(?<=-dev-alb-)[0-9a-z]{8}\b",
    "TARGETS": r"(?<=-tg/)[0-9a-z]{16}\b|(?<=-3000/)[0-9a-z]{16}\b",
}
"""Each is numbered in the order in which it comes; a short form has the number of the long one."""
_VALUES = {
    "TIME": r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( [A-Z+-][A-Z\d]+)?|(?<=\"expires_at\": \")[^\"]+",
    "MASKED": r"(?<=\*{4})\w{4}\b",
}
"""What depends on the machine: its time zone, the time of day, the number of the account."""


def check(name: str, result: Result, names: dict[str, str]) -> None:
    """Compare what a command said, and its exit code, with the reviewed file."""
    said = {
        "exit_code": result.exit_code,
        "document": json.loads(result.stdout),
        "stderr": result.stderr.splitlines(),
    }
    text = json.dumps(said, indent=2, ensure_ascii=False)
    for each, called in names.items():
        text = text.replace(each, called)
    for kind, pattern in _IDS.items():
        text = _numbered(text, kind, pattern)
    for kind, pattern in _VALUES.items():
        text = re.sub(pattern, kind, text)
    check_snapshot(f"documents/{name}.json", text + "\n")


def _numbered(text: str, kind: str, pattern: str) -> str:
    numbers: dict[str, int] = {}

    def name(found: re.Match[str]) -> str:
        return f"{kind}-{numbers.setdefault(found[0][:8], len(numbers) + 1)}"

    return re.sub(pattern, name, text)
