"""A project with a sandbox, for the tests of the sandbox on a real engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pymysql
import yaml

from schoolctl.sandbox.resources import Layout
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = """\
network:
  alb_group: schoolApp-alb-sg
  service_group: schoolApp-ecs-sg
  database_group: schoolApp-rds-sg
"""
ENVIRONMENT = '  sandbox: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566"}\n'
_PASSED_ON = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "DOCKER_HOST")


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
    """Make a project whose configuration has an environment for a sandbox."""
    directory.mkdir()
    (directory / "schoolctl.yaml").write_text(CONFIG + ENVIRONMENT + NETWORK)
    (directory / "Dockerfile").write_text("ARG BASE_IMAGE=python:3.11-slim\nFROM ${BASE_IMAGE}\n")
    return Project(directory, free_port())
