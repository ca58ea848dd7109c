"""Whatever leads a protected environment's calls away from AWS, other than schoolctl.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.aws.session.connection import resolve_connection
from schoolctl.aws.session.profiles import profile_endpoints, profile_region
from schoolctl.config.file import load_config_file
from tests.worlds.account import edit

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

COMMANDS = [("params", "set", "db_host=h", "--confirm", "schoolapp-backend"), ("params", "list")]


@pytest.fixture
def protected(project: Project) -> Project:
    """Give a project whose environments are protected, and are at AWS."""
    edit(project.directory, "task:\n", "protected: true\ntask:\n")
    return project


@pytest.mark.parametrize("words", COMMANDS)
def test_a_forgotten_variable_is_refused_before_any_call(
    protected: Project, faults: Faults, words: tuple[str, ...]
) -> None:
    done = protected.invoke(*words)
    assert done.exit_code == 5
    assert done.stderr.splitlines()[0] == (
        "error: environment dev is protected, and AWS_ENDPOINT_URL leads its calls to 127.0.0.1"
    )
    assert "hint:  `unset AWS_ENDPOINT_URL`" in done.stderr
    assert faults.calls == []


def test_a_variable_of_one_service_is_refused_too(
    protected: Project, aws: Aws, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://ann:canary@{aws.endpoint_url[7:]}")
    done = protected.invoke("params", "list")
    assert done.exit_code == 5
    assert "AWS_ENDPOINT_URL_SSM leads its calls to 127.0.0.1" in done.stderr
    assert "canary" not in done.output
    assert faults.calls == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[profile school]\nendpoint_url = {url}\n", "profile school"),
        ("[profile school]\nservices = local\n[services local]\nssm =\n  endpoint_url = {url}\n",
         "ssm in [services local]"),
    ],
)  # fmt: skip
def test_the_profile_s_own_address_is_refused_too(
    protected: Project, faults: Faults, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    url = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text(text.format(url=url))
    done = protected.invoke("params", "list", "--profile", "school")
    assert done.exit_code == 5
    assert f"{place} leads its calls to 127.0.0.1" in done.stderr
    assert f"take `endpoint_url` of {place} out of ~/.aws/config" in done.stderr
    assert faults.calls == []


def test_the_profile_s_own_address_is_used_and_shown_elsewhere(
    project: Project, aws: Aws, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    url = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text(f"[profile school]\nendpoint_url = {url}\n")
    (folder / "credentials").write_text(
        "[school]\naws_access_key_id = AKIA\naws_secret_access_key = canary\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    done = project.invoke("profile", "show", "--profile", "school")
    assert done.exit_code == 0, done.output
    assert f"endpoint  {url}  (profile school)" in done.stdout
    assert faults.calls == ["GetCallerIdentity"]


def test_a_variable_of_one_service_is_stronger_than_the_general_one(
    project: Project, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", os.environ["AWS_ENDPOINT_URL_SSM"])
    done = project.invoke("params", "list")
    assert done.exit_code == 0, done.output
    assert "GetParameters" in faults.calls


def test_an_endpoint_of_schoolctl_yaml_is_no_accident(
    protected: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(protected.directory, "\ntask:\n", f"\nendpoint_url: {aws.endpoint_url}\ntask:\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert protected.invoke("params", "list").exit_code == 0


def test_an_endpoint_of_aws_itself_is_no_accident(
    protected: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "https://vpce-1.ssm.us-east-1.vpce.amazonaws.com")
    # Nothing is called: a command that only reads its own file resolves the connection as well.
    done = protected.invoke("params", "set", "db_hst=h")
    assert done.exit_code == 2
    assert "did you mean db_host?" in done.stderr


def test_ignored_addresses_are_no_danger(protected: Project) -> None:
    environ = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    found = resolve_connection(
        flag_profile=None,
        flag_region=None,
        config=load_config_file(None, cwd=protected.directory).resolve("dev").config,
        environ=environ,
        profile_region=profile_region,
        profile_endpoints=profile_endpoints,
    )
    assert found.endpoint_url.value is None
