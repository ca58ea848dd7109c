"""`profile` and the errors of credentials, regions and accounts."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CONFIG

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

AWS_CONFIG = """\
[default]
region = us-east-1
[profile dev2]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/deployer
source_profile = base
[profile wide]
sso_session = school
sso_account_id = 210987654321
sso_role_name = admin
region = us-east-1
[sso-session school]
sso_start_url = https://school.awsapps.com/start
sso_region = us-east-1
[profile tool]
credential_process = /bin/false
[profile ci]
role_arn = arn:aws:iam::123456789012:role/ci
web_identity_token_file = /token
[profile keyless]
region = us-east-1
"""
AWS_CREDENTIALS = """\
[base]
aws_access_key_id = AKIAABCDEFGHWXYZ
aws_secret_access_key = canary-secret-key
[half]
aws_access_key_id = AKIAHALF
"""


@pytest.fixture
def aws_files() -> Path:
    """Give the folder of profiles of every kind."""
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text(AWS_CONFIG)
    (folder / "credentials").write_text(AWS_CREDENTIALS)
    return folder


@pytest.fixture
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no keys in the environment, and nobody who could hand some out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def write_config(project: Project, dev: str) -> None:
    head = CONFIG.split("environments:", maxsplit=1)[0]
    (project.directory / "schoolctl.yaml").write_text(f"{head}environments:\n  dev: {dev}\n")


def rows(text: str) -> dict[str, list[str]]:
    """Give the cells of a table's rows by the first one; cells may hold single blanks."""
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in
             text.splitlines()]  # fmt: skip
    return {line[0]: line[1:] for line in lines[1:]}


@pytest.mark.usefixtures("aws_files")
def test_list_tells_how_each_profile_signs_in_and_where_it_leads(project: Project) -> None:
    write_config(project, "{profile: dev2}")

    result = project.invoke("profile", "list")

    assert result.exit_code == 0
    assert rows(result.stdout) == {
        "base": ["keys", "-", "-", "-"],
        "ci": ["web identity", "123456789012", "-", "-"],
        "default": ["none", "-", "us-east-1", "-"],
        "dev2": ["role", "123456789012", "eu-west-1", "dev"],
        "half": ["keys", "-", "-", "-"],
        "keyless": ["none", "-", "us-east-1", "-"],
        "tool": ["process", "-", "-", "-"],
        "wide": ["sso", "210987654321", "us-east-1", "-"],
    }
    assert "canary" not in result.output


def test_list_works_without_a_configuration_or_a_profile(project: Project) -> None:
    (project.directory / "schoolctl.yaml").unlink()

    result = project.invoke("profile", "list", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"ok": True, "profiles": []}
    assert "aws configure --profile NAME" in result.stderr


@pytest.mark.usefixtures("aws_files")
def test_use_writes_to_this_machines_overlay_only(project: Project) -> None:
    committed = (project.directory / "schoolctl.yaml").read_text()

    result = project.invoke("profile", "use", "base", "-e", "dev")

    overlay = project.directory / ".schoolctl" / "dev.yaml"
    assert result.exit_code == 0
    assert result.stdout == (
        "environment dev uses profile base on this machine (.schoolctl/dev.yaml)\n"
    )
    assert "profile: base" in overlay.read_text()
    assert stat.S_IMODE(overlay.stat().st_mode) == 0o600
    assert (project.directory / ".schoolctl" / ".gitignore").read_text() == "*\n"
    assert (project.directory / "schoolctl.yaml").read_text() == committed


@pytest.mark.usefixtures("aws_files")
def test_use_of_an_unknown_profile_names_the_nearest_and_all_others(project: Project) -> None:
    result = project.invoke("profile", "use", "dev")

    assert result.exit_code == 6
    assert "there is no AWS profile dev; did you mean dev2?" in result.stderr
    assert "have base, ci, default, dev2, half, keyless, tool, wide" in result.stderr
    assert not (project.directory / ".schoolctl").exists()


@pytest.mark.usefixtures("aws_files")
def test_use_of_a_profile_of_another_account_is_refused(project: Project) -> None:
    result = project.invoke("profile", "use", "wide")

    assert result.exit_code == 5
    assert "210987654321" in result.stderr
    assert "123456789012" in result.stderr
    assert not (project.directory / ".schoolctl").exists()


@pytest.mark.usefixtures("aws_files")
def test_use_is_refused_where_the_machine_has_keys_that_are_stronger(project: Project) -> None:
    overlay = project.directory / ".schoolctl" / "dev.yaml"
    overlay.parent.mkdir()
    overlay.write_text("credentials: {access_key_id: local, secret_access_key: canary}\n")
    before = overlay.read_text()

    result = project.invoke("profile", "use", "base")

    assert result.exit_code == 1
    assert "take `credentials` out of .schoolctl/dev.yaml first" in result.stderr
    assert "canary" not in result.output
    assert overlay.read_text() == before


@pytest.mark.usefixtures("aws_files", "_no_keys", "aws")
def test_show_tells_the_identity_and_where_each_setting_came_from(
    project: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    project.invoke("profile", "use", "base")

    result = project.invoke("profile", "show")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("profile   base  (environment dev, .schoolctl/dev.yaml:")
    assert lines[1].startswith("region    us-east-1  (environment dev, schoolctl.yaml:")
    assert lines[2] == f"endpoint  {aws.endpoint_url}  (AWS_ENDPOINT_URL)"
    assert lines[3] == "key       ****WXYZ  (shared-credentials-file)"
    assert lines[4] == "account   123456789012"
    assert "canary" not in result.output
    assert "AKIA" not in result.output


@pytest.mark.usefixtures("aws")
def test_show_is_one_document_under_json(project: Project) -> None:
    document = json.loads(project.invoke("profile", "show", "--json").stdout)

    assert document["profile"] == {"value": None, "origin": "AWS_ACCESS_KEY_ID"}
    assert document["key"] == {"value": "****ting", "origin": "env"}
    assert document["account"] == document["pinned_account"] == "123456789012"


@pytest.mark.usefixtures("aws")
def test_show_works_without_a_configuration(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.directory / "schoolctl.yaml").unlink()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    result = project.invoke("profile", "show")

    assert result.exit_code == 0
    assert "region    eu-west-1  (AWS_REGION)" in result.stdout
    assert "account   123456789012" in result.stdout


@pytest.mark.usefixtures("aws")
def test_show_in_a_wrong_account_shows_it_and_exits_with_5(project: Project) -> None:
    result = project.invoke("profile", "show", "-e", "other")

    assert result.exit_code == 5
    assert "account   123456789012" in result.stdout
    assert "environment other is account 999999999999" in result.stderr


@pytest.mark.usefixtures("aws_files", "aws")
def test_an_unknown_profile_is_named_with_the_known_ones(project: Project) -> None:
    result = project.invoke("params", "list", "--profile", "nobody")

    assert result.exit_code == 6
    assert "error: there is no AWS profile nobody" in result.stderr
    assert "have base, ci, default, dev2" in result.stderr


@pytest.mark.usefixtures("aws_files")
def test_an_overruled_profile_that_does_not_exist_does_no_harm(
    aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Moto lives in this process and reads AWS_PROFILE when it loads a service.
    aws.client("ssm").describe_parameters()
    aws.client("sts").get_caller_identity()
    monkeypatch.setenv("AWS_PROFILE", "long-gone")

    result = project.invoke("params", "list")

    assert result.exit_code == 0
    assert "AWS_PROFILE=long-gone is overruled by AWS_ACCESS_KEY_ID" in result.stderr


@pytest.mark.usefixtures("aws", "_no_keys")
def test_no_credentials_at_all_say_what_to_do(project: Project) -> None:
    result = project.invoke("params", "list")

    assert result.exit_code == 6
    assert "no AWS credentials were found" in result.stderr
    assert "schoolctl profile list" in result.stderr


@pytest.mark.usefixtures("aws_files", "aws", "_no_keys")
def test_half_a_key_in_a_profile_is_named(project: Project) -> None:
    result = project.invoke("params", "list", "--profile", "half")

    assert result.exit_code == 6
    assert "aws_secret_access_key" in result.stderr


@pytest.mark.usefixtures("aws_files", "aws", "_no_keys")
def test_a_failing_credential_process_is_a_credentials_error(project: Project) -> None:
    result = project.invoke("params", "list", "--profile", "tool")

    assert result.exit_code == 6
    assert result.stderr.count("error:") == 1


@pytest.mark.usefixtures("aws_files", "aws", "_no_keys")
def test_an_sso_profile_that_is_not_signed_in_names_the_command(project: Project) -> None:
    write_config(project, "{profile: wide}")

    result = project.invoke("params", "list")

    assert result.exit_code == 6
    assert "credentials: profile wide (environment dev)" in result.stderr
    assert "aws sso login --profile wide" in result.stderr


@pytest.mark.usefixtures("aws")
def test_a_broken_profile_file_is_named(project: Project, aws_files: Path) -> None:
    (aws_files / "config").write_text("[profile dev2\nregion eu-west-1\n")

    result = project.invoke("profile", "list")

    assert result.exit_code == 6
    assert str(aws_files / "config") in result.stderr


def test_expired_credentials_say_how_to_renew_them(faults: Faults, project: Project) -> None:
    for _ in range(2):
        faults.answer("GetParameters", "ExpiredTokenException", "The security token is expired")

    result = project.invoke("params", "get", "db_host")
    again = project.invoke("params", "get", "db_host", "--json")

    assert result.exit_code == 6
    assert "The security token is expired" in result.stderr
    assert json.loads(again.stdout)["error"]["exit_code"] == 6


def test_something_that_answers_like_no_aws_is_said_so(faults: Faults, project: Project) -> None:
    for _ in range(2):
        faults.answer_with("GetCallerIdentity", b"<html></broken", status=403)

    result = project.invoke("profile", "show")
    again = project.invoke("profile", "show", "--json")

    assert result.exit_code == 1
    assert "what answered was not AWS" in result.stderr
    assert json.loads(again.stdout)["error"]["why"] == "what answered was not AWS"


@pytest.mark.usefixtures("aws")
def test_no_region_is_a_usage_error(project: Project) -> None:
    write_config(project, "{}")

    result = project.invoke("params", "list")

    assert result.exit_code == 2
    assert "error: no AWS region is set" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("params", "set", "db_host=h"),
        ("params", "set", "db_password", "--stdin"),
        ("secrets", "set", "db_password", "--stdin"),
        ("params", "set"),
        ("params", "list"),
        ("params", "get", "db_host"),
        ("secrets", "list"),
    ],
    ids=" ".join,
)
def test_a_wrong_account_is_refused_before_any_write_and_any_other_error(
    faults: Faults, project: Project, words: tuple[str, ...]
) -> None:
    result = project.invoke(*words, "-e", "other", stdin="pw")

    assert result.exit_code == 5
    assert result.stderr.splitlines()[0] == (
        "error: environment other is account 999999999999,"
        " but the credentials lead to account 123456789012"
    )
    assert {"PutParameter", "CreateSecret", "PutSecretValue"}.isdisjoint(faults.calls)


def test_an_unknown_identity_ends_the_command_before_a_write(
    faults: Faults, project: Project
) -> None:
    faults.answer("GetCallerIdentity", "InvalidClientTokenId", "the token is invalid", status=403)

    result = project.invoke("params", "set", "db_host=h")

    assert result.exit_code == 6
    assert "PutParameter" not in faults.calls


def test_keys_of_the_overlay_are_shown_with_its_file(project: Project, aws: Aws) -> None:
    del aws
    overlay = project.directory / ".schoolctl" / "dev.yaml"
    overlay.parent.mkdir()
    overlay.write_text("credentials: {access_key_id: AKIALOCAL, secret_access_key: canary}\n")

    done = project.invoke("profile", "show")

    assert "key       ****OCAL  (.schoolctl/dev.yaml)" in done.stdout
    assert "explicit" not in done.stdout


def test_keys_that_aws_does_not_know_may_be_good_in_a_region_that_is_not_enabled(
    project: Project, faults: Faults
) -> None:
    faults.answer("GetCallerIdentity", "InvalidClientTokenId", "the token is invalid", status=403)

    done = project.invoke("profile", "show", "--region", "af-south-1")

    assert done.exit_code == 6
    assert "`aws account get-region-opt-status --region-name af-south-1`" in done.stderr


def test_a_region_that_leads_nowhere_is_named_with_its_origin(
    project: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    done = project.invoke("profile", "show", "--region", "mars-1")

    assert done.exit_code == 1
    assert "the spelling of region mars-1 (--region)" in done.stderr
