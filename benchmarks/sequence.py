"""The whole documented sequence: with schoolctl, and as `aws` and `docker` commands.

Both log in, push an image that has been pushed, put three parameters with values that are new, and
bring the service to the other of two images without waiting. Both work on the same sandbox, in
turn.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.pairs import Pair, measure
from benchmarks.project import copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAGS = ("bench-1", "bench-2")
_KEYS = ("db_host", "db_name", "db_user")
# One service for each side, so that neither finds the other's deployment in progress.
_SERVICES = {"schoolctl": "schoolapp-backend", "aws": "schoolapp-backend-by-hand"}


@dataclass
class Bench:
    """A project on a sandbox of its own, and both ways to deploy it."""

    schoolctl: Path
    aws: Path
    directory: Path
    port: int

    def __post_init__(self) -> None:
        self._values = (f"value-{number}" for number in itertools.count())
        self._turns = {side: itertools.cycle(_TAGS) for side in _SERVICES}
        self._rendered = ""
        self._environ = {**os.environ, "DOCKER_CONFIG": str(self.directory / "docker")}

    def ours(self) -> None:
        """Run the sequence with schoolctl: three commands, as push logs in by itself."""
        tag = next(self._turns["schoolctl"])
        self._schoolctl("push", "--tag", _TAGS[0])
        value = next(self._values)
        self._schoolctl("params", "set", *(f"{key}={value}" for key in _KEYS))
        self._schoolctl("deploy", "--tag", tag, "--no-wait", "--force")

    def theirs(self) -> None:
        """Run the sequence as the page of notes has it: ten commands."""
        tag = next(self._turns["aws"])
        registry = f"127.0.0.1:{self.port}"
        repository = f"{registry}/schoolapp-backend"
        password = self._aws("ecr", "get-login-password")
        self._run(["docker", "login", "--username", "AWS", "--password-stdin", registry], password)
        self._run(["docker", "push", f"{repository}:{_TAGS[0]}"])
        value = next(self._values)
        for key in _KEYS:
            self._aws(
                *("ssm", "put-parameter", "--overwrite", "--type", "SecureString"),
                *("--name", f"/schoolapp/by-hand/{key}", "--value", value),
            )
        definition = self._definition(f"{repository}:{tag}")
        answer = json.loads(
            self._aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(definition))
        )
        self._aws(
            *("ecs", "update-service", "--cluster", "schoolapp"),
            *("--service", _SERVICES["aws"]),
            *("--task-definition", answer["taskDefinition"]["taskDefinitionArn"]),
            "--force-new-deployment",
        )

    def prepare(self) -> None:
        """Bring up the sandbox, push both images, and create both services."""
        self._schoolctl("sandbox", "up", "--port", str(self.port))
        self._schoolctl("push", "--tag", _TAGS[0], "--create-repo")
        marker = self.directory / "service" / "templates" / "bench.txt"
        marker.write_text("the second image\n")
        self._schoolctl("push", "--tag", _TAGS[1])
        marker.unlink()
        self._run(["docker", "pull", f"127.0.0.1:{self.port}/schoolapp-backend:{_TAGS[0]}"])
        self._schoolctl("params", "set", "--from-file", ".schoolctl/sandbox.env")
        # No task is to run: the values that both sides write lead to no database.
        self._schoolctl("deploy", "--tag", _TAGS[0], "--desired-count", "0")
        self._rendered = self._schoolctl("taskdef", "render", "--tag", _TAGS[0], "--json")
        definition = self._definition(f"127.0.0.1:{self.port}/schoolapp-backend:{_TAGS[0]}")
        self._aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(definition))
        service = self._describe()
        self._aws(
            *("ecs", "create-service", "--cluster", "schoolapp", "--launch-type", "FARGATE"),
            *("--service-name", _SERVICES["aws"], "--desired-count", "0"),
            *("--task-definition", definition["family"]),
            *("--network-configuration", json.dumps(service["networkConfiguration"])),
        )

    def clean_up(self) -> None:
        """Take the sandbox down."""
        self._schoolctl("sandbox", "down")

    def _definition(self, image: str) -> dict[str, Any]:
        definition: dict[str, Any] = json.loads(self._rendered)["task_definition"]
        definition["family"] = "schoolapp-by-hand"
        definition["containerDefinitions"][0]["image"] = image
        return definition

    def _describe(self) -> dict[str, object]:
        answer = json.loads(
            self._aws(
                *("ecs", "describe-services", "--cluster", "schoolapp"),
                *("--services", _SERVICES["schoolctl"]),
            )
        )
        service: dict[str, object] = answer["services"][0]
        return service

    def _schoolctl(self, *args: str) -> str:
        return self._run([str(self.schoolctl), "-e", "sandbox", *args])

    def _aws(self, *args: str) -> str:
        overlay = yaml.safe_load((self.directory / ".schoolctl" / "sandbox.yaml").read_text())
        keys = overlay["credentials"]
        environ = {
            **self._environ,
            "AWS_ACCESS_KEY_ID": keys["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
            "AWS_ENDPOINT_URL": overlay["endpoint_url"],
            "AWS_DEFAULT_REGION": overlay["region"],
        }
        return self._run([str(self.aws), "--output", "json", *args], environ=environ)

    def _run(
        self, command: list[str], stdin: str = "", environ: dict[str, str] | None = None
    ) -> str:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env=environ or self._environ,
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command[:6])} ended with {done.returncode}\n{done.stderr}")
        return done.stdout


def compare(schoolctl: Path, aws: Path) -> Iterator[Pair]:
    """Measure the sequence on a sandbox that is brought up for it and taken down after it."""
    with tempfile.TemporaryDirectory() as folder:
        directory = copy_project(Path(folder))
        # The page of notes has no release command.
        config = directory / "schoolctl.yaml"
        config.write_text(re.sub(r"(?m)^  release_command:.*$", "", config.read_text()))
        bench = Bench(schoolctl, aws, directory, port=4581)
        try:
            bench.prepare()
            yield measure(
                "push, params set, deploy --no-wait / login and the same with aws and docker",
                bench.ours,
                bench.theirs,
                rounds=5,
                target=0.5,
            )
        finally:
            bench.clean_up()
