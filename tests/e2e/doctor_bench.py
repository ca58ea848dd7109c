"""A sandbox for `doctor`: its findings, and the commands of its cures run as they are printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pexpect
import yaml

from schoolctl.config.overlay import write_overlay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.conftest import Sandbox

_COMMAND = re.compile(r"`([^`]+)`")


class Bench:
    """A healthy sandbox, and ways to break it that are taken back at the end of each test."""

    def __init__(self, sandbox: Sandbox, tools: Path) -> None:
        self.sandbox = sandbox
        self.directory = sandbox.directory
        self._path = f"{tools}:{sandbox.command.parent}:{sandbox.environ['PATH']}"
        self.environ = dict(sandbox.environ)
        self._kept = {
            name: (self.directory / name).read_text()
            for name in ("schoolctl.yaml", "Dockerfile", ".dockerignore", ".schoolctl/sandbox.yaml",
                         ".schoolctl/.gitignore")
        }  # fmt: skip

    def client(self, service: str) -> Any:
        overlay = yaml.safe_load(self._kept[".schoolctl/sandbox.yaml"])
        return boto3.client(  # type: ignore[call-overload]  # the name is a variable
            service,
            region_name=overlay["region"],
            endpoint_url=overlay["endpoint_url"],
            aws_access_key_id=overlay["credentials"]["access_key_id"],
            aws_secret_access_key=overlay["credentials"]["secret_access_key"],
        )

    def overlay(self, values: dict[str, Any]) -> None:
        write_overlay(self.directory, "sandbox", values)

    def put_back(self) -> None:
        """Put the files and the environment back; AWS is repaired by the cures."""
        self.environ = dict(self.sandbox.environ)
        for name, text in self._kept.items():
            (self.directory / name).write_text(text)
        for name in ("key.pem", "package.json", "package-lock.json"):
            (self.directory / "service" / name).unlink(missing_ok=True)
        (self.directory / ".gitignore").unlink(missing_ok=True)
        for folder in (self.directory / ".git", Path(self.environ["HOME"]) / ".aws"):
            shutil.rmtree(folder, ignore_errors=True)

    # doctor

    def findings(self) -> dict[str, dict[str, Any]]:
        """Run `doctor --json`; gives its checks by name."""
        command = [str(self.sandbox.command), "doctor", "--json"]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        document = json.loads(done.stdout)
        found = {each["name"]: each for each in document["checks"]}
        assert done.returncode == bool(document["counts"]["FAIL"]), done.stdout + done.stderr
        assert done.stderr == ""
        return found

    # Following a cure

    def follow(self, cure: str, begins: str, fills: Mapping[str, str] | None = None) -> None:
        """Run the command of a cure that begins so, as it is printed.

        Args:
            cure: as doctor gives it.
            begins: how the command begins.
            fills: what to put in the place of the words that only its reader knows.
        """
        commands = _COMMAND.findall(cure)
        [command] = [
            each for each in commands if each.replace(" -e sandbox", "").startswith(begins)
        ]
        for word, meant in (fills or {}).items():
            assert word in command.split()
            command = command.replace(word, meant)
        if command.startswith("unset "):
            name = command.removeprefix("unset ")
            self.environ.pop(name, None)
            if name in self.sandbox.environ:
                self.environ[name] = self.sandbox.environ[name]
            return
        terminal = pexpect.spawn(
            "bash",
            ["-c", command],
            cwd=str(self.directory),
            env={**self.environ, "PATH": self._path, "TERM": "dumb", **self._aws()},
            encoding="utf-8",
            timeout=240,
            dimensions=(40, 200),
        )
        shown = ""
        asked = ("db_host", "db_password")
        questions = [r"Go on\? \[y/N\]", *(rf"{key}.*?: " for key in asked)]
        while number := terminal.expect([pexpect.EOF, *questions]):
            shown += terminal.before or ""
            terminal.sendline("y" if number == 1 else self._value(asked[number - 2]))
        shown += terminal.before or ""
        terminal.close()
        assert terminal.exitstatus == 0, f"{command}\n{shown}"

    def _value(self, key: str) -> str:
        for line in (self.directory / ".schoolctl" / "sandbox.env").read_text().splitlines():
            name, _, value = line.partition("=")
            if name == key:
                return value.strip("'\"")
        raise AssertionError(key)

    def _aws(self) -> dict[str, str]:
        overlay = yaml.safe_load(self._kept[".schoolctl/sandbox.yaml"])
        return {
            "AWS_ENDPOINT_URL": overlay["endpoint_url"],
            "AWS_DEFAULT_REGION": overlay["region"],
            "AWS_ACCESS_KEY_ID": overlay["credentials"]["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": overlay["credentials"]["secret_access_key"],
        }
