"""An account of its own, a project, and the installed command as a process behind the proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from schoolctl.docker.connect import connect_docker
from tests.conftest import ACCOUNT, CONFIG, REGION, Aws, lead_to_aws
from tests.faults import Faults
from tests.worlds.account import NAME, Account, edit

if TYPE_CHECKING:
    from tests.matrix.emulator import Emulator

COMMAND = Path(sys.executable).with_name("schoolctl")
_PATIENCE_SECONDS = 150
_PASSED_ON = ("PATH", "LANG", "DOCKER_HOST")
_FIRST_PUSH = 1_700_000_000
_making = threading.Lock()


class OwnAws(Aws):
    """An account with clients of its own, which go when it goes."""

    def __init__(self, endpoint_url: str, account: str) -> None:
        super().__init__(endpoint_url, account)
        object.__setattr__(self, "_made", {})

    def client(self, service: str) -> Any:
        made: dict[str, Any] = self.__dict__["_made"]
        with _making:  # making clients is not safe in several threads
            if service not in made:
                made[service] = boto3.client(  # type: ignore[call-overload]  # a variable
                    service,
                    endpoint_url=self.endpoint_url,
                    region_name=REGION,
                    aws_access_key_id=self.account,
                    aws_secret_access_key="testing",
                )
        return made[service]


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document that `--json` prints."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}{self.err}"


class World:
    """One case's own world: nothing in it is shared with another case but the emulator."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.aws = OwnAws(emulator.url, emulator.new_account())
        self.faults = Faults(emulator.url)
        self.folder = folder
        self.directory, self.home = folder / "project", folder / "home"
        for each in (self.directory, self.home):
            each.mkdir(parents=True)
        config = CONFIG.replace(ACCOUNT, self.aws.account)
        (self.directory / "schoolctl.yaml").write_text(config)
        lead_to_aws(self.directory, self.faults.endpoint_url)
        edit(self.directory, "target_group: schoolapp-tg", "target_group: null")
        self.account = Account(self.aws)
        self._seen: set[str] = set()
        self._pushes = False
        self.faults.rewrite("DescribeServices", self._take_a_look_longer)
        self.faults.rewrite("RunTask", self._end_at_once)
        self.faults.rewrite("DescribeTasks", end_one_off_tasks)
        self.faults.rewrite("DescribeImages", _push_in_order)

    def close(self) -> None:
        """Take it down; the account is left to the emulator."""
        if self._pushes:
            self._forget_images()
        self.forget()

    def forget(self) -> None:
        """Take it down, where no engine has seen it."""
        self.faults.close()
        shutil.rmtree(self.folder)

    # The command

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `schoolctl words...`, its calls going through the proxy."""
        return subprocess.Popen(
            [str(COMMAND), *words],
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, stdin: str = "") -> Finished:
        """Run `schoolctl words...` to its end; it is what the proxy's rules kill."""
        process = self.start(*words)
        self.faults.victim = process
        try:
            out, err = process.communicate(stdin, timeout=_PATIENCE_SECONDS)
        finally:
            process.kill()
        self.faults.settle()
        return Finished(process.returncode, out, err)

    @property
    def environ(self) -> dict[str, str]:
        """The command's environment."""
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "HOME": str(self.home),
            "NO_COLOR": "1",
            "AWS_ENDPOINT_URL": self.faults.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.aws.account,
            "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
        }

    # What is there before the command runs

    def serve(self, revision: str, count: int = 2) -> None:
        """Have the service run a revision, as it has for a while."""
        try:
            self.account.ecs.create_service(
                cluster="schoolapp",
                serviceName=NAME,
                taskDefinition=revision,
                desiredCount=count,
                launchType="FARGATE",
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": [
                            each["SubnetId"]
                            for each in self.aws.client("ec2").describe_subnets()["Subnets"]
                        ],
                        "securityGroups": [self.account.group_id],
                        "assignPublicIp": "ENABLED",
                    }
                },
            )
        except ClientError as error:
            # A busy emulator may drop an answer; botocore asks again, and finds its own service.
            if "not idempotent" not in str(error):
                raise
        deployments = self.account.service()["deployments"]
        self._seen |= {each["id"] for each in deployments}

    def write(self, name: str, content: str) -> None:
        """Write a file of the project, for nobody else to read."""
        file = self.directory / name
        file.write_text(content)
        file.chmod(0o600)

    def take_pushes(self) -> None:
        """Be the registry, too; what the engine builds is removed at the end."""
        registry = f"{self.aws.account}.dkr.ecr.{REGION}.amazonaws.com"
        self.faults.registry = registry
        edit(self.directory, "dev: {", f'dev: {{registry: "{self.faults.host}", ')
        self._pushes = True

    def _forget_images(self) -> None:
        client, _ = connect_docker(os.environ)
        # By its name: other worlds have the same content under theirs.
        name = f"{self.faults.host}/{NAME}"
        for image in client.images.list(name):
            for tag in image.tags:
                if tag.startswith(name):
                    client.images.remove(tag)
        client.close()

    # What the emulator is too fast for

    def _end_at_once(self, content: bytes) -> bytes:
        """Have a one-off task end as soon as it is there; without an engine, it never would."""
        for task in json.loads(content).get("tasks", ()):
            self.account.ecs.stop_task(cluster="schoolapp", task=task["taskArn"])
        return content

    def _take_a_look_longer(self, content: bytes) -> bytes:
        """Call a deployment in progress when it is looked at for the first time."""
        answer = json.loads(content)
        for service in answer.get("services", ()):
            for deployment in service.get("deployments", ()):
                if deployment["id"] not in self._seen and deployment["status"] == "PRIMARY":
                    self._seen.add(deployment["id"])
                    deployment |= {"rolloutState": "IN_PROGRESS", "runningCount": 0}
        return json.dumps(answer).encode()


def end_one_off_tasks(content: bytes) -> bytes:
    """Have tasks that belong to no service ended well."""
    answer = json.loads(content)
    for task in answer.get("tasks", ()):
        if not task.get("group", "").startswith("service:"):
            task |= {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
            for container in task["containers"]:
                container |= {"lastStatus": "STOPPED", "exitCode": 0}
    return json.dumps(answer).encode()


def _push_in_order(content: bytes) -> bytes:
    """Have images pushed an hour apart, in the order of their tags; not all in one second."""
    answer = json.loads(content)
    details = answer.get("imageDetails", ())
    for number, each in enumerate(sorted(details, key=lambda each: each.get("imageTags", [""]))):
        each["imagePushedAt"] = _FIRST_PUSH + 3600 * number
    return json.dumps(answer).encode()
