"""The sandbox on a real engine: what is there after `up`, who reaches it, what `down` leaves."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker
import pymysql
import pytest
import yaml

from schoolctl.sandbox import emulator
from schoolctl.sandbox.layout import Layout
from schoolctl.sandbox.ports import port_holder
from schoolctl.sandbox.processes import environment_of
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator

# One worker: the tests share a sandbox.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("sandbox")]

NETWORK = """\
network:
  alb_group: schoolApp-alb-sg
  service_group: schoolApp-ecs-sg
  database_group: schoolApp-rds-sg
"""
ENVIRONMENT = '  sandbox: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566"}\n'
_PASSED_ON = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "DOCKER_HOST")
_SIOCGIFADDR = 0x8915


@dataclass(frozen=True)
class Project:
    """A project in a directory of its own, and the command run in it as a process."""

    directory: Path
    port: int

    @property
    def layout(self) -> Layout:
        """Where its sandbox keeps its files."""
        return Layout(self.directory, "sandbox")

    def run(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `schoolctl sandbox args...`; `code` is the exit code that must come."""
        done = subprocess.run(
            [sys.executable, "-m", "schoolctl", "sandbox", *args],
            cwd=self.directory,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    def json(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Run a command and give its JSON document."""
        document: dict[str, Any] = json.loads(self.run(*args, "--json", code=code).stdout)
        return document

    def up(self) -> dict[str, Any]:
        """Bring the sandbox up."""
        return self.json("up", "--port", str(self.port))

    def overlay(self) -> dict[str, Any]:
        """Give what the sandbox wrote for the other commands."""
        path = self.directory / ".schoolctl" / "sandbox.yaml"
        values: dict[str, Any] = yaml.safe_load(path.read_text())
        return values

    def client(self, service: str) -> Any:
        """Give a boto3 client of the emulator."""
        overlay = self.overlay()
        return boto3.client(  # type: ignore[call-overload]  # the name is a variable
            service,
            region_name=overlay["region"],
            endpoint_url=overlay["endpoint_url"],
            aws_access_key_id=overlay["credentials"]["access_key_id"],
            aws_secret_access_key=overlay["credentials"]["secret_access_key"],
        )

    def state(self) -> dict[str, Any]:
        """Give what the sandbox remembers."""
        values: dict[str, Any] = json.loads(self.layout.state_file.read_text())
        return values

    def login(self, **changed: Any) -> pymysql.Connection[Any]:
        """Log in to the database as the application does; `changed` says what is different."""
        state = self.state()
        given = {
            "host": state["bridge"],
            "port": state["database_port"],
            "user": state["database_user"],
            "password": state["database_password"],
            "database": state["database_name"],
            "ssl_ca": str(self.layout.tls_folder / "ca.pem"),
            "ssl_verify_cert": True,
            "ssl_verify_identity": True,
            "connect_timeout": 5,
        }
        return pymysql.connect(**{**given, **changed})


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def make_project(directory: Path) -> Project:
    directory.mkdir()
    (directory / "schoolctl.yaml").write_text(CONFIG + ENVIRONMENT + NETWORK)
    (directory / "Dockerfile").write_text("ARG BASE_IMAGE=python:3.11-slim\nFROM ${BASE_IMAGE}\n")
    return Project(directory, free_port())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Bring up a sandbox that the tests look at and leave as it is."""
    project = make_project(tmp_path_factory.mktemp("sandbox") / "project")
    try:
        project.up()
        yield project
    finally:
        project.run("down", code=None)


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Project]:
    """Give a project whose sandbox the test brings up and treats badly."""
    project = make_project(tmp_path / "project")
    yield project
    project.run("down", code=None)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """Give the engine, to look behind the sandbox's back."""
    client = docker.from_env()
    yield client
    client.close()


# What is there


def test_up_again_changes_nothing(sandbox: Project) -> None:
    before = sandbox.overlay(), sandbox.state(), sandbox.json("status")
    again = sandbox.up()
    assert (again["changes"], again["new_account"]) == ([], False)
    assert (sandbox.overlay(), sandbox.state(), sandbox.json("status")) == before


def test_status_tells_that_all_of_it_is_up(sandbox: Project) -> None:
    status = sandbox.json("status")
    assert status["up"] is True
    assert {part["name"]: part["state"] for part in status["parts"]} == {
        "emulator": "up",
        "database": "up",
    }
    assert status["url"] == f"http://schoolapp-alb.alb.localhost:{sandbox.port}/"


def test_the_three_groups_form_the_documented_chain_and_nothing_more(sandbox: Project) -> None:
    groups = {
        each["GroupName"]: each
        for each in sandbox.client("ec2").describe_security_groups()["SecurityGroups"]
    }
    names = {each["GroupId"]: name for name, each in groups.items()}

    def edges(name: str) -> set[tuple[str, int]]:
        found = set()
        for rule in groups[name]["IpPermissions"]:
            assert rule["FromPort"] == rule["ToPort"]
            sources = [each["CidrIp"] for each in rule["IpRanges"]]
            sources += [names[each["GroupId"]] for each in rule["UserIdGroupPairs"]]
            found |= {(source, rule["ToPort"]) for source in sources}
        return found

    assert edges("schoolApp-alb-sg") == {("0.0.0.0/0", 80), ("0.0.0.0/0", 443)}
    assert edges("schoolApp-ecs-sg") == {("schoolApp-alb-sg", 3000)}
    assert edges("schoolApp-rds-sg") == {("schoolApp-ecs-sg", 3306)}


def test_the_account_has_what_a_deployment_looks_for(sandbox: Project) -> None:
    cluster = sandbox.client("ecs").describe_clusters(clusters=["schoolapp"])["clusters"][0]
    assert cluster["status"] == "ACTIVE"
    for role in ("schoolapp-execution", "schoolapp-task"):
        trust = sandbox.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        assert "ecs-tasks.amazonaws.com" in json.dumps(trust)
    elb = sandbox.client("elbv2")
    group = elb.describe_target_groups(Names=["schoolapp-tg"])["TargetGroups"][0]
    assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == (
        "ip",
        3000,
        "/healthz",
    )
    balancer = elb.describe_load_balancers(Names=["schoolapp-alb"])["LoadBalancers"][0]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert [each["Port"] for each in listeners] == [80]
    assert listeners[0]["DefaultActions"][0]["TargetGroupArn"] == group["TargetGroupArn"]


def test_seeding_repairs_what_was_deleted(sandbox: Project) -> None:
    sandbox.client("iam").delete_role_policy(RoleName="schoolapp-task", PolicyName="read-settings")
    elb = sandbox.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["schoolapp-alb"])["LoadBalancers"][0]
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert sandbox.up()["changes"] == [
        "load balancer schoolapp-alb",
        "listener of schoolapp-alb for port 80",
    ]
    policies = sandbox.client("iam").list_role_policies(RoleName="schoolapp-task")["PolicyNames"]
    assert policies == ["read-settings"]


# Who reaches it


def own_addresses() -> list[str]:
    """Give the IPv4 addresses of this machine's interfaces, and a second one of loopback."""
    addresses = ["127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            with contextlib.suppress(OSError):  # an interface without an address
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
                addresses.append(socket.inet_ntoa(answer[20:24]))
    return addresses


def connects(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=3):
        return True
    return False


@pytest.mark.parametrize("port", ["port", "database_port"])
def test_only_loopback_and_the_bridge_answer(sandbox: Project, port: str) -> None:
    state = sandbox.state()
    addresses = own_addresses()
    open_to = {address for address in addresses if connects(address, state[port])}
    assert {"127.0.0.1", state["bridge"]} <= set(addresses)
    assert open_to == {"127.0.0.1", state["bridge"]}


@pytest.mark.parametrize("port", ["port", "database_port"])
def test_nothing_listens_on_all_addresses(sandbox: Project, port: str) -> None:
    wanted = f"{sandbox.state()[port]:04X}"
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {
        fields[1].partition(":")[0]
        for fields in lines
        if fields[3] == "0A" and fields[1].endswith(f":{wanted}")
    }
    bridge = socket.inet_aton(sandbox.state()["bridge"])[::-1].hex().upper()
    assert listening == {"0100007F", bridge}


def test_the_emulator_opens_no_other_port(sandbox: Project) -> None:
    holder = port_holder(sandbox.port)
    assert holder is not None
    held = set()
    for link in Path(f"/proc/{holder.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # a file that was closed meanwhile
            held.add(str(link.readlink()))
    ports = {
        int(fields[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if f"socket:[{fields[9]}]" in held and fields[3] in {"0A", "07"}
    }
    assert ports == {sandbox.port}


def test_containers_reach_the_emulator(sandbox: Project, engine: docker.DockerClient) -> None:
    url = f"http://host.docker.internal:{sandbox.port}/_ministack/ready"
    said = engine.containers.run(
        sandbox.overlay()["image"]["build_args"]["BASE_IMAGE"],
        [
            *("python3", "-c"),
            f"import urllib.request as r; print(r.urlopen('{url}').status)",
        ],
        extra_hosts={"host.docker.internal": "host-gateway"},
        remove=True,
    )
    assert said.strip() == b"200"


def answer(sandbox: Project, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/", "Action=ListRoles&Version=2010-05-08", named)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_web_page_cannot_call_the_local_aws(sandbox: Project) -> None:
    plain = {"Content_Type": "application/x-www-form-urlencoded"}
    assert answer(sandbox, **plain) == 200
    assert answer(sandbox, **plain, Origin="http://evil.example") == 403
    assert answer(sandbox, **plain, Sec_Fetch_Site="cross-site") == 403
    assert answer(sandbox, **plain, Host=f"evil.example:{sandbox.port}") == 403
    assert answer(sandbox, **plain, Host=f"none.alb.localhost:{sandbox.port}") == 404


def test_the_load_balancer_answers_under_its_name(sandbox: Project) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    connection.request("GET", "/", headers={"Host": f"schoolapp-alb.alb.localhost:{sandbox.port}"})
    reply = connection.getresponse()
    assert (reply.status, b"No registered targets" in reply.read()) == (503, True)


# The database


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_database_proves_who_it_is_under_each_name(sandbox: Project, host: str) -> None:
    with sandbox.login(host=host) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        assert cursor.fetchone() == ("Ssl_version", "TLSv1.3")


def test_the_database_takes_no_login_in_clear_text(sandbox: Project) -> None:
    # MariaDB 10.11 words it as a refused password; with TLS the very same password is taken.
    sandbox.login().close()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        sandbox.login(
            ssl_disabled=True, ssl_ca=None, ssl_verify_cert=None, ssl_verify_identity=None
        )


def test_a_client_with_another_authority_refuses_the_database(sandbox: Project) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        sandbox.login(ssl_ca=ssl.get_default_verify_paths().cafile)
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)


def test_a_rotated_password_survives_up_and_a_restart(
    sandbox: Project, engine: docker.DockerClient
) -> None:
    def rotate(old: str, new: str) -> None:
        with sandbox.login(password=old) as connection, connection.cursor() as cursor:
            cursor.execute("SET PASSWORD = PASSWORD(%s)", (new,))

    first = sandbox.state()["database_password"]
    rotate(first, "rotated")
    try:
        engine.containers.get(f"{sandbox.layout.owner}-db").restart()
        assert sandbox.up()["changes"] == []
    finally:
        rotate("rotated", first)


def test_no_secret_stands_where_others_can_read_it(
    sandbox: Project, engine: docker.DockerClient
) -> None:
    state = sandbox.state()
    secrets = [state["database_password"], state["secret_access_key"]]
    holder = port_holder(sandbox.port)
    assert holder is not None
    public = [
        json.dumps(engine.containers.get(f"{sandbox.layout.owner}-db").attrs),
        Path(f"/proc/{holder.pid}/cmdline").read_text(),
        sandbox.run("status").stdout,
        sandbox.run("logs").stdout,
        sandbox.run("up", "-v").stdout,
    ]
    assert [secret for secret in secrets for text in public if secret in text] == []
    root = sandbox.directory / ".schoolctl"
    modes = {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [root, *root.rglob("*")]
        if path.name != ".gitignore"
    }
    closed = {name: mode for name, mode in modes.items() if mode not in {0o600, 0o700}}
    assert closed == {}


# What happens to it


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
    assert again["database"] == first["database"]
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
    lines = [json.loads(line) for line in sandbox.run("logs", "--json").stdout.splitlines()]
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
