"""`schoolctl exec` in process: a plugin that notes how it was called, on written answers."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, service_answer, task_json
from tests.worlds.scenes import COMPLETED, OLD, at, container, deployment, service, stopped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from schoolctl.model.services import Task
    from tests.conftest import Project, Result
    from tests.scripted_aws import ScriptedAws

TOKEN = "canary-token"
SESSION = {"sessionId": "ecs-execute-command-1", "streamUrl": "wss://x", "tokenValue": TOKEN}
TASK = replace(
    stopped(id_="4f0c12ab00000000000000000000beef"),
    last_status="RUNNING",
    stopped_at=None,
    containers=(container(None, status="RUNNING"),),
)
RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"


class Plugin:
    """A program in the place of the plugin, which writes down how it was called."""

    def __init__(self, directory: Path, *, version: str = "1.2.707.0", code: int = 0) -> None:
        directory.mkdir()
        self.note = directory / "note.json"
        path = directory / "session-manager-plugin"
        path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            f"if sys.argv[1:] == ['--version']: print({version!r}); sys.exit()\n"
            f"note = {{'args': sys.argv[1:], 'session': os.environ.get({RESPONSE!r})}}\n"
            f"open({str(self.note)!r}, 'w').write(json.dumps(note))\n"
            f"sys.exit({code})\n"
        )
        path.chmod(0o755)
        self.environ = {**os.environ, "PATH": str(directory)}

    @property
    def called(self) -> Any:
        """Give its arguments and the session that it was handed."""
        return json.loads(self.note.read_text())


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path / "bin")


@dataclass(frozen=True)
class Scene:
    """What AWS says of the service, of its tasks, and of the session."""

    tasks: tuple[Task, ...] = (TASK,)
    enabled: bool = True
    definition: Mapping[str, Any] = field(
        default_factory=lambda: {**DEFINITION, "taskRoleArn": "arn:aws:iam::123456789012:role/t"}
    )
    opened: Any = field(default_factory=lambda: {"session": SESSION})
    agent: str = "RUNNING"
    settings: Mapping[str, object] = field(default_factory=dict)

    def play(self, scripted: ScriptedAws) -> None:
        state = service(deployment(state=COMPLETED, running=2))
        state = replace(state, settings={**state.settings, **self.settings})
        told = [self._task(each) for each in self.tasks]
        scripted.answer("DescribeServices", *service_answer(state))
        scripted.answer("ListTasks", {"taskArns": [each["taskArn"] for each in told]})
        scripted.answer(
            "DescribeTasks",
            lambda asked: {"tasks": [each for each in told if each["taskArn"] in asked["tasks"]]},
        )
        scripted.answer(
            "DescribeTaskDefinition", {"taskDefinition": dict(self.definition), "tags": []}
        )
        scripted.answer("ExecuteCommand", self.opened)

    def _task(self, task: Task) -> dict[str, Any]:
        made = {**task_json(task), "enableExecuteCommand": self.enabled}
        for box in made["containers"]:
            box["runtimeId"] = f"{task.id}-1"
            box["managedAgents"] = [{"name": "ExecuteCommandAgent", "lastStatus": self.agent}]
        return made


def another(digit: str, **values: Any) -> Task:
    """Give another task, whose id is one digit over and over."""
    return replace(TASK, id=digit * 32, arn=TASK.arn[:-32] + digit * 32, **values)


def invoke(project: Project, plugin: Plugin, *args: str) -> Result:
    return project.invoke("exec", *args, environ=plugin.environ)


def refused(project: Project, scripted: ScriptedAws, plugin: Plugin, *args: str) -> str:
    """Give what is said where no session is opened."""
    done = invoke(project, plugin, *args)
    assert done.exit_code == ExitCode.NEVER_RAN, done.stderr
    assert scripted.requests("ExecuteCommand") == []
    assert not plugin.note.exists()
    return done.stderr


def test_the_plugin_is_called_as_the_aws_cli_calls_it(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene().play(scripted)
    done = invoke(project, plugin)
    assert done.exit_code == ExitCode.DONE, done.stderr
    [request] = scripted.requests("ExecuteCommand")
    assert request == {
        "cluster": "school",
        "task": TASK.arn,
        "container": "web",
        "command": "/bin/sh",
        "interactive": True,
    }
    assert plugin.called["args"] == [
        RESPONSE,
        "us-east-1",
        "StartSession",
        "",
        json.dumps({"Target": f"ecs:school_{TASK.id}_{TASK.id}-1"}),
        scripted.endpoint_url,
    ]
    assert json.loads(plugin.called["session"]) == SESSION


def test_the_token_is_in_no_argument_and_in_no_output(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene().play(scripted)
    done = invoke(project, plugin, "--json", "-vv")
    assert TOKEN not in str(plugin.called["args"])
    assert TOKEN not in done.output
    assert RESPONSE not in os.environ


@pytest.mark.parametrize("code", [1, 7, 255])
def test_the_exit_code_is_the_plugins(
    project: Project, scripted: ScriptedAws, tmp_path: Path, code: int
) -> None:
    Scene().play(scripted)
    assert invoke(project, Plugin(tmp_path / "bin", code=code)).exit_code == code


def test_a_command_keeps_its_words_and_options(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene().play(scripted)
    words = ["python", "-c", "print('a b')", "--json"]
    invoke(project, plugin, "--", *words)
    [request] = scripted.requests("ExecuteCommand")
    assert shlex.split(request["command"]) == words


def test_the_newest_task_of_the_services_revision_is_taken(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    newer = another("b", started_at=at(50))
    of_before = another("c", started_at=at(90), task_definition=OLD)
    Scene((TASK, of_before, newer)).play(scripted)
    invoke(project, plugin)
    assert scripted.requests("ExecuteCommand")[0]["task"] == newer.arn


def test_a_task_and_a_container_can_be_chosen(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    boxes = (*TASK.containers, container(None, name="proxy", status="RUNNING"))
    Scene((replace(TASK, containers=boxes), another("b"))).play(scripted)
    invoke(project, plugin, "--task", "4f0c", "--container", "proxy")
    [request] = scripted.requests("ExecuteCommand")
    assert (request["task"], request["container"]) == (TASK.arn, "proxy")


def test_the_document_tells_where_it_was_and_how_it_ended(
    project: Project, scripted: ScriptedAws, tmp_path: Path
) -> None:
    Scene().play(scripted)
    told = json.loads(invoke(project, Plugin(tmp_path / "bin", code=3), "--json").stdout)
    assert (told["ok"], told["task"], told["container"]) == (False, TASK.id, "web")
    assert told["exit_code"] == 3


# What is missing, and its cure


def test_without_the_plugin_nothing_is_asked_of_aws(
    project: Project, scripted: ScriptedAws, tmp_path: Path
) -> None:
    done = project.invoke("exec", environ={**os.environ, "PATH": str(tmp_path)})
    assert done.exit_code == ExitCode.NEVER_RAN
    assert "session-manager-plugin is not installed" in done.stderr
    assert "`brew install --cask session-manager-plugin`" in done.stderr
    assert scripted.calls == []


def test_a_plugin_that_wants_the_token_as_an_argument_is_refused(
    project: Project, scripted: ScriptedAws, tmp_path: Path
) -> None:
    Scene().play(scripted)
    said = refused(project, scripted, Plugin(tmp_path / "bin", version="1.2.463.0"))
    assert "is too old: 1.2.463.0" in said
    assert "install 1.2.497.0 or newer" in said


def test_a_service_without_exec_says_what_to_write_and_run(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene(enabled=False).play(scripted)
    said = refused(project, scripted, plugin)
    assert "ECS Exec is not enabled for school/web" in said
    assert "`service.overrides: {enableExecuteCommand: true}`" in said
    assert "`schoolctl restart`" in said


def test_a_task_from_before_exec_was_enabled_wants_a_restart(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene(enabled=False, settings={"enableExecuteCommand": True}).play(scripted)
    said = refused(project, scripted, plugin)
    assert "task 4f0c12ab was started without ECS Exec" in said
    assert "hint:  `schoolctl restart` replaces the tasks" in said


def test_a_read_only_root_is_named_with_both_settings(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    boxes = [{**Scene().definition["containerDefinitions"][0], "readonlyRootFilesystem": True}]
    definition = {**DEFINITION, "containerDefinitions": boxes}
    Scene(enabled=False, definition=definition).play(scripted)
    said = refused(project, scripted, plugin)
    assert "container web of web:7 has a read-only root file system" in said
    assert "readonlyRootFilesystem: false" in said
    assert "enableExecuteCommand: true" in said
    assert "`schoolctl run`" in said


def test_a_task_without_a_role_names_what_the_role_must_allow(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene(definition=DEFINITION).play(scripted)
    said = refused(project, scripted, plugin)
    assert "web:7 has no task role" in said
    assert "ssmmessages:CreateControlChannel" in said


def test_an_agent_that_does_not_run_names_what_the_role_must_allow(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene(agent="STOPPED").play(scripted)
    said = refused(project, scripted, plugin)
    assert "the exec agent of container web in task 4f0c12ab is STOPPED" in said
    assert "ssmmessages:OpenDataChannel" in said


NO_AGENT = (
    "The execute command failed because execute command was not enabled when the task was run or"
    " the execute command agent isn't running."
)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("TargetNotConnectedException", "The execute command failed due to an internal"),
        Refusal("InvalidParameterException", NO_AGENT),
    ],
    ids=["target", "agent"],
)
def test_an_agent_that_is_not_connected_has_a_cure(
    project: Project, scripted: ScriptedAws, plugin: Plugin, refusal: Refusal
) -> None:
    Scene(opened=refusal).play(scripted)
    done = invoke(project, plugin)
    assert done.exit_code == ExitCode.NEVER_RAN
    assert "the exec agent of container web is not connected" in done.stderr
    assert "the task must reach ssmmessages" in done.stderr
    assert not plugin.note.exists()


def test_a_denied_session_names_the_action(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    denied = "User: ann is not authorized to perform: ecs:ExecuteCommand on resource: arn:aws:x"
    Scene(opened=Refusal("AccessDeniedException", denied)).play(scripted)
    done = invoke(project, plugin)
    assert done.exit_code == ExitCode.NEVER_RAN
    assert "ask for a policy that allows ecs:ExecuteCommand" in done.stderr


def test_no_running_task_is_named(project: Project, scripted: ScriptedAws, plugin: Plugin) -> None:
    Scene((replace(TASK, last_status="PENDING"),)).play(scripted)
    said = refused(project, scripted, plugin)
    assert "no task of school/web is running" in said
    assert "`schoolctl why`" in said


def test_a_container_that_is_not_there_names_those_that_are(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene().play(scripted)
    said = refused(project, scripted, plugin, "--container", "db")
    assert "task 4f0c12ab has no running container db" in said
    assert "those that run are web" in said


def test_a_protected_environment_wants_its_name(
    project: Project, scripted: ScriptedAws, plugin: Plugin
) -> None:
    Scene().play(scripted)
    done = invoke(project, plugin, "-e", "prod")
    assert done.exit_code == ExitCode.FAILED
    assert "--confirm schoolapp-backend" in done.stderr
    assert scripted.requests("ExecuteCommand") == []


def test_a_dry_run_opens_nothing(project: Project, scripted: ScriptedAws, plugin: Plugin) -> None:
    Scene().play(scripted)
    done = invoke(project, plugin, "--dry-run")
    assert done.exit_code == ExitCode.DONE
    assert "run `/bin/sh` in container web of task 4f0c12ab" in done.stderr
    assert not plugin.note.exists()
