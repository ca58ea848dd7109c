"""Which profile, region and endpoint win, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.aws.session.connection import Connection, Setting, resolve_connection
from schoolctl.base.errors import CredentialsError, ExitCode, UsageError
from schoolctl.config.file import parse_config
from schoolctl.model.values import SecretValue
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from schoolctl.config.models import Config

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}
PROFILE_REGIONS = {"dev2": "eu-west-1", "flagged": "eu-west-2", "named": "eu-west-3"}


def config(environment: str) -> Config:
    text = CONFIG.split("environments:", maxsplit=1)[0] + (
        "environments:\n"
        "  plain: {}\n"
        "  profiled: {profile: dev2}\n"
        "  regional: {profile: dev2, region: ap-south-1}\n"
        '  local: {region: us-east-1, endpoint_url: "http://127.0.0.1:4566"}\n'
    )
    text = text.replace("default_environment: dev\n", "")
    return parse_config(text, path=Path("schoolctl.yaml")).resolve(environment).config


def resolve(
    environment: str | None,
    environ: dict[str, str] | None = None,
    *,
    profile: str | None = None,
    region: str | None = None,
    default_region: str | None = None,
) -> Connection:
    regions: dict[str | None, str | None] = {None: default_region}
    regions.update(PROFILE_REGIONS)
    return resolve_connection(
        flag_profile=profile,
        flag_region=region,
        config=config(environment) if environment else None,
        environ=environ or {},
        profile_region=regions.get,
    )


@pytest.mark.parametrize(
    ("environment", "environ", "flag", "wanted"),
    [
        ("profiled", {**KEYS, "AWS_PROFILE": "named"}, "flagged", ("flagged", "--profile")),
        ("profiled", {**KEYS, "AWS_PROFILE": "named"}, None, (None, "AWS_ACCESS_KEY_ID")),
        (
            "profiled",
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_PROFILE": "named"},
            None,
            (None, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ),
        ("profiled", {"AWS_PROFILE": "named"}, None, ("dev2", "environment profiled")),
        ("plain", {"AWS_PROFILE": "named"}, None, ("named", "AWS_PROFILE")),
        ("plain", {"AWS_DEFAULT_PROFILE": "named"}, None, ("named", "AWS_DEFAULT_PROFILE")),
        ("plain", {"AWS_PROFILE": ""}, None, (None, "default chain")),
        (None, {"AWS_PROFILE": "named"}, None, ("named", "AWS_PROFILE")),
    ],
)
def test_credentials_come_from_the_strongest_source(
    environment: str | None,
    environ: dict[str, str],
    flag: str | None,
    wanted: tuple[str | None, str],
) -> None:
    found = resolve(environment, environ, profile=flag, region="us-east-1")

    assert found.credentials == Setting(*wanted)


@pytest.mark.parametrize(
    ("environment", "environ", "flag", "wanted"),
    [
        ("regional", {"AWS_REGION": "sa-east-1"}, "us-west-2", ("us-west-2", "--region")),
        ("regional", {"AWS_REGION": "sa-east-1"}, None, ("ap-south-1", "environment regional")),
        ("profiled", {"AWS_REGION": "sa-east-1"}, None, ("eu-west-1", "profile dev2")),
        ("plain", {"AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "x"}, None,
         ("sa-east-1", "AWS_REGION")),
        ("plain", {"AWS_DEFAULT_REGION": "sa-east-1"}, None, ("sa-east-1", "AWS_DEFAULT_REGION")),
        ("plain", {}, None, ("ca-central-1", "default profile")),
        # Keys of the environment are no profile: the profile that is not used has no say.
        ("profiled", {**KEYS, "AWS_REGION": "sa-east-1"}, None, ("sa-east-1", "AWS_REGION")),
    ],
)  # fmt: skip
def test_the_region_comes_from_the_strongest_source(
    environment: str,
    environ: dict[str, str],
    flag: str | None,
    wanted: tuple[str, str],
) -> None:
    found = resolve(environment, environ, region=flag, default_region="ca-central-1")

    assert found.region == Setting(*wanted)


def test_no_region_at_all_is_a_usage_error_that_says_where_to_set_it() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("plain")

    assert caught.value.exit_code is ExitCode.USAGE
    assert "`region:`" in caught.value.hint


@pytest.mark.parametrize("present", KEYS)
def test_half_a_key_in_the_environment_is_no_credentials(present: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve("regional", {present: "canary"})

    (missing,) = set(KEYS) - {present}
    assert caught.value.what == f"{present} is set in the environment, and {missing} is not"
    assert "canary" not in str(caught.value.document())


def test_what_is_overruled_is_said_in_a_line_each() -> None:
    environ = {"AWS_PROFILE": "named", "AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "eu-west-1"}

    assert resolve("profiled", environ).notes == (
        "AWS_PROFILE=named is overruled by profile dev2 (environment profiled)",
        "AWS_REGION=sa-east-1 is overruled by eu-west-1 (profile dev2)",
    )


def test_a_profile_overruled_by_keys_is_said_too() -> None:
    found = resolve("regional", {**KEYS, "AWS_PROFILE": "named"})

    assert found.notes == ("AWS_PROFILE=named is overruled by AWS_ACCESS_KEY_ID",)


def test_agreeing_settings_are_not_mentioned() -> None:
    assert resolve("regional", {"AWS_PROFILE": "dev2", "AWS_REGION": "ap-south-1"}).notes == ()


@pytest.mark.parametrize(
    ("environment", "environ", "wanted"),
    [
        ("local", {"AWS_ENDPOINT_URL": "http://x"},
         ("http://127.0.0.1:4566", "environment local")),
        ("regional", {"AWS_ENDPOINT_URL": "http://x"}, ("http://x", "AWS_ENDPOINT_URL")),
        ("regional", {}, (None, "AWS")),
    ],
)  # fmt: skip
def test_the_endpoint_comes_from_the_strongest_source(
    environment: str, environ: dict[str, str], wanted: tuple[str | None, str]
) -> None:
    assert resolve(environment, environ).endpoint_url == Setting(*wanted)


def local_with_keys(directory: Path) -> Config:
    file = directory / "schoolctl.yaml"
    file.write_text(CONFIG)
    overlay = directory / ".schoolctl"
    overlay.mkdir()
    (overlay / "dev.yaml").write_text(
        "credentials: {access_key_id: local, secret_access_key: throwaway}\n"
    )
    return parse_config(CONFIG, path=file).resolve("dev").config


def test_keys_of_the_machine_overlay_are_used_as_they_are(tmp_path: Path) -> None:
    found = resolve_connection(
        flag_profile=None,
        flag_region=None,
        config=local_with_keys(tmp_path),
        environ=KEYS,
        profile_region=PROFILE_REGIONS.get,  # type: ignore[arg-type]  # None gives None
    )

    assert found.credentials == Setting(None, ".schoolctl/dev.yaml")
    assert found.keys is not None
    assert (found.keys.access_key_id, found.keys.secret_access_key) == (
        "local",
        SecretValue("throwaway"),
    )
    assert "throwaway" not in repr(found)


def test_a_profile_flag_is_stronger_than_the_overlays_keys(tmp_path: Path) -> None:
    found = resolve_connection(
        flag_profile="flagged",
        flag_region=None,
        config=local_with_keys(tmp_path),
        environ={},
        profile_region=PROFILE_REGIONS.get,  # type: ignore[arg-type]  # None gives None
    )

    assert (found.profile, found.keys) == ("flagged", None)


@pytest.mark.parametrize("url", ["foo", "ftp://u:hunter2@x", "http://", "http://[::1", "h:1"])
def test_an_endpoint_that_is_no_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL in the environment is no URL") as raised:
        resolve("regional", {"AWS_ENDPOINT_URL": url})
    assert "hunter2" not in str(raised.value.document())


def test_an_endpoint_that_is_overruled_need_be_no_url() -> None:
    assert resolve("local", {"AWS_ENDPOINT_URL": "foo"}).endpoint_url.origin == "environment local"
