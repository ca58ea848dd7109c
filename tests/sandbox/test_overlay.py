"""What a sandbox writes for the other commands, and what it takes out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.clock import SystemClock
from schoolctl.base.errors import ConfigError
from schoolctl.config.file import load_config_file
from schoolctl.config.overlay import write_overlay
from schoolctl.sandbox.apply import RESOURCES, overlay_keys, overlay_values
from schoolctl.sandbox.database import Database
from schoolctl.sandbox.resources import (
    Bridge,
    Layout,
    Sandbox,
    Setup,
    check_local,
    dotenv_text,
    new_state,
    without,
)
from schoolctl.sandbox.seed import account_names

if TYPE_CHECKING:
    from pathlib import Path

    from schoolctl.config.models import Config

CONFIG = """\
app: schoolapp
default_environment: sandbox
image: {repository: schoolapp-backend}
parameters:
  db_host: {env: PARAM_HOST_PATH, from: rds.endpoint}
  port: {env: PARAM_PORT_PATH, from: rds.port}
  db_name: {env: PARAM_DB_NAME_PATH}
  motto: {env: PARAM_MOTTO_PATH}
secrets:
  password: {env: DB_SECRET_ARN, from: rds.managed_secret}
task: {family: f, execution_role: "arn:aws:iam::123456789012:role/path/starter", task_role: reader}
service: {cluster: c, name: s, target_group: schoolapp-tg}
environments:
  sandbox: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566", registry: "127.0.0.1:4566"}
  named: {region: us-east-1, endpoint_url: "http://localhost:9000"}
  real: {region: us-east-1, account: "123456789012"}
  far: {region: us-east-1, endpoint_url: "http://192.0.2.7:4566"}
  tricky: {region: us-east-1, endpoint_url: "http://127.0.0.1.evil.example:4566"}
  guarded: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566", protected: true}
"""
STATE = new_state("schoolapp", port=4599, bridge="172.17.0.1", database_port=13307)
BRIDGE = Bridge("172.17.0.1", "172.17.0.0/16", "arm64")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Return a sandbox that has its certificates, and an engine that is not asked."""
    layout = Layout(tmp_path, "sandbox")
    layout.prepare()
    authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (layout.tls_folder / "ca.pem").write_text(authority)
    host = "unix:///nowhere/docker.sock"
    engine = docker.DockerClient(base_url=host, version="1.41")
    return Sandbox(layout, engine, host, SystemClock(), print)


def settings(
    sandbox: Sandbox, base_image: str | None = "schoolctl-sandbox/python:x"
) -> dict[str, Any]:
    config = resolve(sandbox.layout.directory, "sandbox")
    setup = Setup(config, "us-east-1", BRIDGE, STATE, base_image=base_image)
    return overlay_values([each(sandbox) for each in RESOURCES], setup)


def resolve(directory: Path, environment: str) -> Config:
    (directory / "schoolctl.yaml").write_text(CONFIG)
    return load_config_file(None, cwd=directory).resolve(environment).config


@pytest.mark.parametrize("environment", ["sandbox", "named"])
def test_an_environment_of_this_machine_is_taken(tmp_path: Path, environment: str) -> None:
    check_local(resolve(tmp_path, environment))


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ("real", "real AWS account"),
        ("far", "192.0.2.7"),
        ("tricky", "127.0.0.1.evil.example"),
        ("guarded", "protected"),
    ],
)
def test_another_environment_is_refused(tmp_path: Path, environment: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_local(resolve(tmp_path, environment))
    assert reason in caught.value.why


def test_the_overlay_is_what_the_configuration_understands(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    write_overlay(tmp_path, "sandbox", settings(sandbox))
    config = resolve(tmp_path, "sandbox")
    assert config.account == "000000000000"
    assert config.endpoint_url == "http://127.0.0.1:4599"
    assert config.registry == "127.0.0.1:4599"
    assert config.image.platform == "linux/arm64"
    assert config.image.build_args == {"BASE_IMAGE": "schoolctl-sandbox/python:x"}
    assert config.task.environment["DB_PORT"] == "13307"
    assert config.task.environment["DB_CA_PEM"].splitlines()[1] == "AAAA"
    assert config.credentials is not None
    assert config.credentials.secret_access_key.reveal() == STATE.secret_access_key


def test_without_a_base_image_the_overlay_has_no_build_argument(sandbox: Sandbox) -> None:
    assert settings(sandbox, base_image=None)["image"] == {"platform": "linux/arm64"}


def test_the_values_to_seed_are_those_the_configuration_takes_from_a_database(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    text = dotenv_text(resolve(tmp_path, "sandbox"), Database(sandbox).parameters(STATE))
    assert dict(line.split("=", 1) for line in text.splitlines()) == {
        "db_host": "172.17.0.1",
        "port": "13307",
        "db_name": "schoolapp",
        "password": STATE.database_password,
    }


def test_names_of_the_account_come_from_the_configuration(tmp_path: Path) -> None:
    names = account_names(resolve(tmp_path, "sandbox"))
    assert (names.execution_role, names.task_role) == ("starter", "reader")
    assert names.load_balancer == "schoolapp-alb"
    assert names.target_group == "schoolapp-tg"
    assert names.parameter_path == "/schoolapp/sandbox/"


def test_taking_out_leaves_what_somebody_else_wrote(sandbox: Sandbox) -> None:
    mixed: dict[str, Any] = yaml.safe_load(yaml.safe_dump(settings(sandbox)))
    mixed["profile"] = "mine"
    mixed["task"]["cpu"] = 512
    mixed["task"]["environment"]["PROGRAMS"] = "Art"
    assert without(mixed, overlay_keys()) == {
        "profile": "mine",
        "task": {"cpu": 512, "environment": {"PROGRAMS": "Art"}},
    }


def test_taking_out_leaves_nothing_of_ours(sandbox: Sandbox) -> None:
    assert without(settings(sandbox), overlay_keys()) == {}


texts = st.sampled_from(["a", "b", "c", "image", "task"])
trees = st.recursive(
    st.dictionaries(texts, st.integers(), max_size=3),
    lambda inner: st.dictionaries(texts, inner | st.integers(), max_size=3),
    max_leaves=8,
)


@given(values=trees, ours=trees)
def test_taking_out_twice_is_taking_out_once(values: Any, ours: Any) -> None:
    once = without(values, ours)
    assert without(once, ours) == once


@given(values=trees)
def test_taking_out_nothing_changes_nothing(values: Any) -> None:
    assert without(values, {}) == values
