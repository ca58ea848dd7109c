"""What happens to a sandbox: taken down, killed, in the way of others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from schoolctl.sandbox import emulator
from schoolctl.sandbox.host import environment_of, port_holder
from tests.sandbox.engine.project import free_port

if TYPE_CHECKING:
    import docker

    from tests.sandbox.engine.project import Project

# One worker: the tests share a sandbox.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("sandbox")]


def traces(engine: docker.DockerClient, project: Project) -> dict[str, list[str]]:
    """Give everything of a project's sandbox that is still on this machine."""
    owner = project.layout.owner
    containers = engine.api.containers(all=True)
    return {
        "containers": [each["Names"][0] for each in containers if owner in json.dumps(each)],
        "volumes": [each.name for each in engine.volumes.list() if owner in each.name],
        "networks": [str(each.name) for each in engine.networks.list() if owner in str(each.name)],
        "processes": [
            entry.name
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal()
            and environment_of(int(entry.name)).get(emulator.OWNER_VARIABLE) == owner
        ],
        "files": [path.name for path in project.directory.glob(".schoolctl/*")],
    }


def deploy_tasks(project: Project, engine: docker.DockerClient) -> None:
    """Run two tasks of the base image, as containers of the emulator."""
    project.client("ecr").create_repository(repositoryName="sleeper")
    name = f"127.0.0.1:{project.port}/sleeper"
    engine.images.get(project.overlay()["image"]["build_args"]["BASE_IMAGE"]).tag(name, "1")
    pushed = engine.images.push(name, "1", auth_config={"username": "AWS", "password": "any"})
    assert "errorDetail" not in str(pushed)
    engine.images.remove(f"{name}:1")
    ecs = project.client("ecs")
    ecs.register_task_definition(
        family="sleeper",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "web", "image": f"{name}:1", "command": ["sleep", "600"], "essential": True}
        ],
    )
    subnets = [each["SubnetId"] for each in project.client("ec2").describe_subnets()["Subnets"]]
    tasks = ecs.run_task(
        cluster="schoolapp",
        taskDefinition="sleeper",
        count=2,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
    )["tasks"]
    waiter = ecs.get_waiter("tasks_running")
    waiter.config.delay = 1
    waiter.wait(cluster="schoolapp", tasks=[each["taskArn"] for each in tasks])


def test_down_leaves_nothing_of_it_and_the_neighbour_alone(
    sandbox: Project, spare: Project, engine: docker.DockerClient
) -> None:
    neighbour = traces(engine, sandbox)
    spare.up()
    deploy_tasks(spare, engine)
    # What the emulator once left: a container made for a task while it was shut down.
    engine.containers.create(
        spare.overlay()["image"]["build_args"]["BASE_IMAGE"],
        ["true"],
        labels={"ministack.instance": f"{spare.layout.owner}:{spare.port}"},
    )
    assert len(spare.json("status")["tasks"]) == 3
    spare.run("down", "--images")
    assert traces(engine, spare) == {kind: [] for kind in neighbour}
    assert not (spare.directory / ".schoolctl").exists()
    assert [
        name
        for image in engine.images.list()
        for name in [*image.tags, *(image.attrs["RepoDigests"] or [])]
        if f":{spare.port}/" in name
    ] == []
    assert traces(engine, sandbox) == neighbour
    assert sandbox.json("status")["up"] is True


def test_down_again_finds_nothing_to_do(spare: Project) -> None:
    assert spare.json("down") == {"ok": True, "removed": []}


def test_down_leaves_what_somebody_else_wrote_into_the_overlay(spare: Project) -> None:
    spare.up()
    path = spare.directory / ".schoolctl" / "sandbox.yaml"
    path.write_text(yaml.safe_dump({**spare.overlay(), "protected": False}))
    spare.run("down")
    assert yaml.safe_load(path.read_text()) == {"protected": False}


def test_a_killed_emulator_is_noticed_and_started_again(spare: Project) -> None:
    first = spare.up()
    holder = port_holder(spare.port)
    assert holder is not None
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    status = spare.json("status", code=1)
    assert {part["name"]: part["state"] for part in status["parts"]} == {
        "emulator": "stopped",
        "database": "up",
    }
    again = spare.up()
    assert again["new_account"] is True
    assert again["database"] == first["database"]
    spare.login().close()


def test_an_emulator_whose_process_was_not_noted_is_found_again(spare: Project) -> None:
    spare.up()
    holder = port_holder(spare.port)
    spare.layout.process_file.unlink()
    assert spare.up()["changes"] == []
    assert port_holder(spare.port) == holder


def test_without_its_state_a_sandbox_is_made_anew(
    spare: Project, engine: docker.DockerClient
) -> None:
    first = spare.up()
    process = port_holder(spare.port)
    assert process is not None
    assert process.pid is not None
    shutil.rmtree(spare.directory / ".schoolctl")
    os.kill(process.pid, signal.SIGKILL)
    again = spare.up()
    # Another sandbox may have taken or left a port of the database meanwhile.
    assert again["port"] == first["port"]
    spare.login().close()
    assert len(traces(engine, spare)["processes"]) == 1


def test_a_taken_port_is_refused_by_name_and_nothing_is_left(
    spare: Project, engine: docker.DockerClient
) -> None:
    with socket.create_server(("127.0.0.1", spare.port)):
        done = spare.run("up", "--port", str(spare.port), code=1)
    assert f"port {spare.port} of 127.0.0.1 is taken" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert traces(engine, spare)["containers"] == []


def test_a_database_whose_port_was_taken_moves_and_keeps_its_data(
    spare: Project, engine: docker.DockerClient
) -> None:
    spare.up()
    with spare.login() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id INT)")
    engine.containers.get(f"{spare.layout.owner}-db").stop(timeout=10)
    taken = spare.state()
    with socket.create_server((taken["bridge"], taken["database_port"])):
        spare.up()
    assert spare.state()["database_port"] != taken["database_port"]
    assert spare.overlay()["task"]["environment"]["DB_PORT"] == str(spare.state()["database_port"])
    with spare.login() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM kept")


def test_another_port_is_refused_while_it_is_up(sandbox: Project) -> None:
    done = sandbox.run("up", "--port", str(free_port()), code=1)
    assert f"up already, on port {sandbox.port}" in done.stderr


def test_an_environment_of_a_real_account_is_refused(sandbox: Project) -> None:
    done = sandbox.run("up", "-e", "dev", code=2)
    assert "environment dev is not a sandbox" in done.stderr


def test_a_sandbox_that_was_never_up_is_not_up(spare: Project) -> None:
    status = spare.json("status", code=1)
    assert status["up"] is False
    assert [part["state"] for part in status["parts"]] == ["not there", "not there"]


def test_logs_are_those_of_emulator_and_database(sandbox: Project) -> None:
    lines = json.loads(sandbox.run("logs", "--json").stdout)["lines"]
    assert {line["source"] for line in lines} == {"emulator", "database"}


def test_following_logs_ends_with_the_sandbox(spare: Project) -> None:
    spare.up()
    following = subprocess.Popen(
        [sys.executable, "-m", "schoolctl", "sandbox", "logs", "-f", "-n", "0"],
        cwd=spare.directory,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        spare.login().close()
        spare.run("down")
        said, _ = following.communicate(timeout=30)
    finally:
        following.kill()
    assert following.returncode == 0
    assert "emulator  " in said
