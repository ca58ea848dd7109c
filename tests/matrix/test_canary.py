"""No value, password, key or token shows up anywhere: every command, and every call failing."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.core.run import Services
from scripts.reference import help_pages
from tests.conftest import Project
from tests.fake_engine import FakeEngine
from tests.fakes import FakeClock
from tests.faults import quote_request, quote_signed, refuse
from tests.matrix.scenes import WITH_STACK, one_deployed, something_to_build
from tests.matrix.state import dump
from tests.matrix.world import World
from tests.wire import Trouble
from tests.worlds.account import edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Result
    from tests.matrix.emulator import Emulator

TOKEN = base64.b64encode(b"AWS:canary-registry-token").decode()
HIDDEN = ("canary-", TOKEN.rstrip("="))
"""Every value of these tests has the first in it; this file's own name has not."""
WAYS = ((), ("-v",), ("-vv",), ("--json",))
TROUBLES = {
    "denied": refuse(Trouble.DENIED),
    "500": refuse(Trouble.FAULT),
    "quoted": quote_request,
    "signature": quote_signed,
}


@dataclass(frozen=True)
class Case:
    """A command line, what it reads from a pipe, and how it may end."""

    words: str
    stdin: str | None = None
    codes: tuple[int, ...] = (0,)
    before: str = ""
    """What is run before it."""


PAGES = {path.removeprefix("schoolctl").strip(): page for path, page in help_pages()}
NEW = "canary-new-value"
CASES = {
    "build": Case("build --tag 2.0"),
    "push": Case("push --tag 2.0"),
    "deploy": Case("deploy --tag 1.1"),
    "diff": Case("diff --tag 1.1"),
    "rollback": Case("rollback --to 1"),
    "restart": Case("restart"),
    "scale": Case("scale 3"),
    "exec": Case("exec -- ls", codes=(0, 1, 2, 125)),
    "run": Case("run -- python -m migrate"),
    "status": Case("status"),
    "tasks": Case("tasks"),
    "events": Case("events"),
    "why": Case("why"),
    "logs": Case("logs"),
    "history": Case("history"),
    "wait": Case("wait"),
    "images list": Case("images list"),
    "images show": Case("images show 1.0"),
    "images prune": Case("images prune --yes"),
    "taskdef render": Case("taskdef render --tag 1.1"),
    "taskdef register": Case("taskdef register --tag 1.1"),
    "taskdef list": Case("taskdef list"),
    "taskdef deregister": Case("taskdef deregister 1 --yes", codes=(0, 1, 2)),
    "taskdef diff": Case("taskdef diff --tag 1.1"),
    "pull": Case("pull --tag 2.0", before="push --tag 2.0"),
    "params set": Case("params set --from-file values.env"),
    "params import": Case("params import values.env"),
    "params list": Case("params list"),
    "params get": Case("params get db_host"),
    "params diff": Case("params diff --from-file values.env"),
    "params history": Case("params history db_host"),
    "params export": Case("params export --reveal --output exported.env --overwrite"),
    "params delete": Case("params delete db_host --yes --force"),
    "secrets set": Case("secrets set db_password --stdin --username app", NEW),
    "secrets list": Case("secrets list"),
    "secrets rotate": Case("secrets rotate db_password"),
    "init": Case("init --ci github"),
    "config show": Case("config show"),
    "config check": Case("config check"),
    "config schema": Case("config schema"),
    "doctor": Case("doctor", codes=(0, 1)),
    "profile list": Case("profile list"),
    "profile show": Case("profile show"),
    "profile use": Case("profile use school"),
    "login": Case("login"),
    "infra plan": Case("infra plan -c stack.yaml"),
    "infra up": Case("infra up -c stack.yaml"),
    "infra status": Case("infra status -c stack.yaml", before="infra up -c stack.yaml"),
    "infra outputs": Case("infra outputs -c stack.yaml", before="infra up -c stack.yaml"),
    "infra down": Case("infra down -c stack.yaml --yes", before="infra up -c stack.yaml"),
    "lock show": Case("lock show"),
    "lock release": Case("lock release --id nobodys --yes"),
    "iam policy": Case("iam policy --for all"),
    "network check": Case("network check", codes=(10,)),
    "network apply": Case("network apply --fix --yes"),
    "repo create": Case("repo create"),
    "repo show": Case("repo show"),
    # There is no engine here for these: the other side of them is in tests/sandbox/engine.
    "sandbox up": Case("sandbox up", codes=(1, 2)),
    "sandbox status": Case("sandbox status", codes=(0, 1, 2)),
    "sandbox logs": Case("sandbox logs", codes=(0, 1, 2)),
    "sandbox down": Case("sandbox down", codes=(0, 1, 2)),
}


def every_command() -> list[str]:
    """Give every command that does something: all but the groups."""
    groups = {path.rpartition(" ")[0] for path in PAGES}
    return [path for path in PAGES if path not in groups]


def test_every_command_has_its_case() -> None:
    assert sorted(CASES) == sorted(every_command())


every_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def new_world(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], World]]:
    """Give what makes an account full of canaries, with a service that runs in it."""
    made: list[World] = []

    def make() -> World:
        world = World(emulator, tmp_path / f"world-{len(made)}")
        made.append(world)
        one_deployed(world)
        something_to_build(world)
        made_by_hand(world)
        edit(world.directory, "db_password: {", "db_password: {rotate_command: [rotate], ")
        world.write("values.env", f"db_host={NEW}\ndb_name={NEW}\ndb_password={NEW}\n")
        world.faults.rewrite("GetAuthorizationToken", _canary_token)
        for key, value in world.environ.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session-token")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
        monkeypatch.chdir(world.directory)
        return world

    yield make
    for world in made:
        world.forget()


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    """Give one such account."""
    return new_world()


def made_by_hand(world: World) -> None:
    """Leave what some commands want to find: a profile with its keys, a log group."""
    folder = world.home / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile school]\nregion = us-east-1\n")
    (folder / "credentials").write_text(
        "[school]\naws_access_key_id = AKIA\naws_secret_access_key = canary-secret-key\n"
    )
    world.aws.client("logs").create_log_group(logGroupName="/ecs/schoolapp-backend")
    world.write("stack.yaml", WITH_STACK)


def _canary_token(content: bytes) -> bytes:
    answer = json.loads(content)
    for each in answer.get("authorizationData", ()):
        each["authorizationToken"] = TOKEN
    return json.dumps(answer).encode()


def run(world: World, case: Case, *way: str) -> Result:
    """Run a case in this process, as if on a machine with an engine."""
    services = Services(clock=FakeClock(), directory=world.directory, engine=FakeEngine())
    before, dashes, after = case.words.partition(" -- ")
    words = [*before.split(), *way, *(["--", *after.split()] if dashes else [])]
    return Project(world.directory, services).invoke(*words, stdin=case.stdin)


def prepare(world: World, case: Case) -> None:
    """Run what comes before a case."""
    if case.before:
        assert run(world, Case(case.before)).exit_code == 0


def look_for_canaries(world: World, name: str, *texts: str) -> None:
    """Look through texts, this machine's files, and what ECS was told."""
    state = dump(world)
    files = {**state["project"], **state["home"]}
    del files["values.env"], files[".aws/credentials"]
    if name == "params export":
        files.pop("exported.env", None)  # what was asked for
    if name == "login":
        # Docker's own place, where whoever logs in wants it.
        stored = files.pop(".docker/config.json", TOKEN)
        assert TOKEN in stored
    looked_at = [
        *texts,
        *files,
        *files.values(),
        json.dumps([state["revisions"], state["services"]]),
    ]
    # A rotation makes a password of its own.
    stored = [each["value"] for each in state["secrets"].values()]
    found = [text for text in looked_at if any(each in text for each in (*HIDDEN, *stored))]
    assert found == []


@every_case
def test_no_canary_shows_up_when_all_is_well(world: World, name: str) -> None:
    case = CASES[name]
    prepare(world, case)
    done = run(world, case, "-vv")
    assert done.exit_code in case.codes, done.output
    assert "Traceback" not in done.stderr
    look_for_canaries(world, name, done.output)


@pytest.mark.faults
@every_case
def test_no_canary_shows_up_in_any_form_of_output(world: World, name: str) -> None:
    case = CASES[name]
    prepare(world, case)
    for way in WAYS:
        look_for_canaries(world, name, run(world, case, *way).output)
    if "--dry-run" in PAGES[name]:
        look_for_canaries(world, name, run(world, case, "--dry-run", "-vv").output)


@pytest.mark.faults
@every_case
def test_no_canary_shows_up_whatever_call_fails(
    new_world: Callable[[], World], name: str, record_property: Callable[[str, object], None]
) -> None:
    case = CASES[name]
    undisturbed = new_world()
    prepare(undisturbed, case)
    undisturbed.faults.calls.clear()
    run(undisturbed, case)
    calls = dict.fromkeys(undisturbed.faults.calls)
    # In their order: what was changed by then stays, and each run gets as far as its call.
    world = new_world()
    prepare(world, case)
    for call in calls:
        for rule in TROUBLES.values():
            world.faults.always(call, rule)
            done = run(world, case, "-vv", "--json")
            world.faults.heal()
            json.loads(done.stdout)
            look_for_canaries(world, name, done.output)
    record_property("cases", len(calls) * len(TROUBLES))


@pytest.mark.faults
@every_case
def test_no_canary_stands_on_a_command_line(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no-engine")
    case = CASES[name]
    seen: set[str] = set()
    process = world.start(*case.words.split())
    if case.stdin:
        process.stdin.write(case.stdin)  # type: ignore[union-attr]  # it is a pipe
    process.stdin.close()  # type: ignore[union-attr]  # likewise
    process.stdin = None
    while process.poll() is None:
        seen |= command_lines(process.pid)
        time.sleep(0.01)
    out, err = process.communicate()
    assert len(seen) >= 1
    look_for_canaries(world, name, *seen, out, err)


def command_lines(pid: int) -> set[str]:
    """Give the command lines of a process and of all that it started."""
    found = set()
    for child in (pid, *_children(pid)):
        with suppress(OSError):  # it has ended by now
            found.add(Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace"))
    return found


def _children(pid: int) -> Iterator[int]:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in file.read_text().split():
                yield int(child)
                yield from _children(int(child))
