"""A command's policy is enough for it, and each action that is taken away is named.

The table of permissions is tied to what the commands really call: every call of every scene is in
it, and everything in it is called for in some scene.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.iam.permissions import commands
from tests.matrix.state import dump
from tests.permissions.scenes import SCENES, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schoolctl.iam.permission import Permission
    from tests.conftest import Result
    from tests.matrix.state import State
    from tests.permissions.guarded import Guarded
    from tests.permissions.scenes import Scene

    Maker = Callable[[Scene], Guarded]

# A new account for each run that changes something.
pytestmark = pytest.mark.timeout(1800)

SLICE = ("login", "params set", "push", "status")
"""What `make test` takes everything away from; `make test-faults` does so for all."""

every_command = pytest.mark.parametrize("command", SCENES)


def run(world: Guarded, scene: Scene) -> Result:
    return world.as_user(*before_dashes(scene.words), stdin=scene.stdin)


def before_dashes(words: tuple[str, ...]) -> list[str]:
    """Give the words with `--json` among the options, and not in the command of `run -- ...`."""
    place = words.index("--") if "--" in words else len(words)
    return [*words[:place], "--json", *words[place:]]


def test_every_command_that_needs_permissions_has_its_scenes() -> None:
    # What CloudFormation does in the caller's name no emulator authorises:
    # tests/infra/test_infra_cli.py ties the calls of `infra` to the table, and the lint test
    # its actions to AWS's reference.
    elsewhere = {each for each in commands() if each.startswith("infra ")}
    assert sorted(SCENES) == sorted({*commands()} - elsewhere)


@every_command
def test_a_policy_is_enough_and_holds_nothing_else(command: str, new_world: Maker) -> None:
    called: set[str] = set()
    listed: set[str] = set()
    for scene in SCENES[command]:
        world = new_world(scene)
        permissions = world.permissions(command)
        world.allow(permissions)
        done = run(world, scene)
        assert done.exit_code == scene.code, done.output
        assert "is denied" not in done.output, done.output
        assert "not authorized" not in done.output, done.output
        called |= world.judged_by
        listed |= {each.action for each in permissions}
    assert called == listed - set(UNSEEN.get(command, {}))


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=() if each in SLICE else pytest.mark.faults) for each in SCENES],
)
def test_an_action_that_is_taken_away_is_named_with_its_cure(
    command: str, new_world: Maker, record_property: Callable[[str, object], None]
) -> None:
    wrong: list[str] = []
    tried: set[str] = set()
    for scene in SCENES[command]:
        world = new_world(scene)
        permissions = world.permissions(command)
        world.allow(permissions)
        run(world, scene)
        before = dump(world)
        again = {each.action for each in permissions if each.needed_when and scene.case}
        for action in sorted(world.judged_by - (tried - again)):
            tried.add(action)
            if scene.changes:
                world = new_world(scene)
                before = dump(world)
            world.allow(each for each in permissions if each.action != action)
            done = run(world, scene)
            missing = [each for each in permissions if each.action == action]
            found = list(complaints(command, scene, missing, done))
            if not done_before_failing(done):
                found += unsaid(before, dump(world), done)
            wrong += [f"{command} without {action}: {each}\n{done.stderr}" for each in found]
    record_property("cases", len(tried))
    assert not wrong, "\n".join(wrong)
    assert len(tried) >= 1


def complaints(
    command: str, scene: Scene, missing: list[Permission], done: Result
) -> Iterator[str]:
    """Give what is wrong with a run that was not allowed one action."""
    action = missing[0].action
    cure = f"`schoolctl iam policy --for {shlex.quote(command)}`"
    if "Traceback" in done.stderr:
        yield "there is a traceback"
    if all(
        each.is_optional and (each.needed_when is None or each.needed_when is not scene.case)
        for each in missing
    ):
        if done.exit_code != scene.code:
            yield f"it can do without, and ended with {done.exit_code}"
        # A warning may go over several lines, and ends with its cure.
        warning = rf"^warning: [^\n]*{re.escape(action)}.*?{re.escape(cure)}"
        warned = re.search(warning, done.stderr, re.DOTALL | re.MULTILINE) is not None
        # What a rollout failed for has a report, which names what was not looked at.
        reported = scene.code != ExitCode.DONE and action in done.stderr and cure in done.stderr
        # `doctor` tells it in the line that it is about.
        found = f"{action} is denied" in done.stdout and cure in done.stdout
        if found and warned:
            yield "it is told twice"
        if not (warned or reported or found):
            yield "nothing names the action and its cure"
        return
    error = json.loads(done.stdout).get("error")
    if error is None or done.exit_code == ExitCode.DONE:
        yield f"it cannot do without, and ended with {done.exit_code}"
        return
    if action not in f"{error['what']}\n{error['why']}\n{error['hint']}":
        yield "the error does not name the action"
    if cure not in error["hint"]:
        yield "the hint does not name the command that prints the policy"
    if error["done"] and "run it again" not in error["hint"]:
        yield "it does not say how to go on"


def done_before_failing(done: Result) -> bool:
    """Say whether a run did something, or ended well."""
    document = json.loads(done.stdout)
    return "error" not in document or bool(document["error"]["done"])


def unsaid(before: State, after: State, done: Result) -> list[str]:
    """Give what a run changed that says it did nothing; that a lock stays is a warning."""
    if "warning: the deploy lock" in done.stderr:
        after = {**after, "locks": before["locks"]}
    return [f"it changed {part}" for part in before if before[part] != after[part]]
