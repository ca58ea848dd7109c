"""Where the calls go and as whom: the one place that decides precedence.

Credentials: a flag, then keys or a web identity in the process's environment, then the
environment's own profile, then `AWS_PROFILE`, then the default chain. Region: a flag, the
environment, the profile, `AWS_REGION`, `AWS_DEFAULT_REGION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schoolctl.config import Config
    from schoolctl.model import SecretValue


@dataclass(frozen=True)
class Setting:
    """A value and where it came from, such as `--profile` or `environment dev`."""

    value: str | None
    origin: str


@dataclass(frozen=True)
class StaticKeys:
    """Access keys handed over as they are (the overlay's `credentials`)."""

    access_key_id: str
    secret_access_key: SecretValue


@dataclass(frozen=True)
class Connection:
    """What a session is made from. `credentials.value` is a profile's name, or None."""

    credentials: Setting
    region: Setting
    endpoint_url: Setting
    keys: StaticKeys | None = None
    notes: tuple[str, ...] = ()
    """A line for each setting of the process's environment that was overruled."""

    @property
    def profile(self) -> str | None:
        """The profile's name, or None where credentials come from elsewhere."""
        return self.credentials.value


def resolve_connection(
    *,
    flag_profile: str | None,
    flag_region: str | None,
    config: Config | None,
    environ: Mapping[str, str],
    profile_region: Callable[[str | None], str | None],
) -> Connection:
    """Decide profile, region and endpoint.

    Args:
        flag_profile: `--profile`.
        flag_region: `--region`.
        config: the resolved configuration; None for commands that work without one.
        environ: the process's environment.
        profile_region: gives the region that a profile (None: the default one) is set to.

    Raises:
        UsageError: no region is set anywhere.
    """
    keys = None
    if config is not None and config.credentials is not None:
        keys = StaticKeys(config.credentials.access_key_id, config.credentials.secret_access_key)
    credentials = _credentials(flag_profile, config, environ, has_keys=keys is not None)
    if credentials.origin != "machine overlay":
        keys = None
    region = _region(flag_region, config, environ, profile_region(credentials.value))
    endpoint = _endpoint(config, environ)
    return Connection(credentials, region, endpoint, keys, _overruled(credentials, region, environ))


def _credentials(
    flag: str | None, config: Config | None, environ: Mapping[str, str], *, has_keys: bool
) -> Setting:
    if flag:
        return Setting(flag, "--profile")
    if has_keys:
        # A local AWS's throwaway keys: an account's own keys in the process's environment
        # have no meaning there.
        return Setting(None, "machine overlay")
    if environ.get("AWS_ACCESS_KEY_ID"):
        return Setting(None, "AWS_ACCESS_KEY_ID")
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return Setting(None, "AWS_WEB_IDENTITY_TOKEN_FILE")
    if config is not None and config.profile:
        return Setting(config.profile, f"environment {config.environment}")
    if environ.get("AWS_PROFILE"):
        return Setting(environ["AWS_PROFILE"], "AWS_PROFILE")
    return Setting(None, "default chain")


def _region(
    flag: str | None, config: Config | None, environ: Mapping[str, str], profile: str | None
) -> Setting:
    candidates = (
        Setting(flag, "--region"),
        Setting(
            config.region if config is not None else None,
            f"environment {config.environment}" if config is not None else "",
        ),
        Setting(profile, "profile"),
        # boto3 itself reads only AWS_DEFAULT_REGION; the other SDKs read AWS_REGION.
        Setting(environ.get("AWS_REGION"), "AWS_REGION"),
        Setting(environ.get("AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION"),
    )
    chosen = next((each for each in candidates if each.value), None)
    if chosen is None:
        raise UsageError(
            "no AWS region is set",
            why="neither --region, the environment, the profile nor AWS_REGION names one",
            hint="add `region:` to the environment in schoolctl.yaml, or give --region",
        )
    return chosen


def _endpoint(config: Config | None, environ: Mapping[str, str]) -> Setting:
    if config is not None and config.endpoint_url:
        return Setting(config.endpoint_url, f"environment {config.environment}")
    if environ.get("AWS_ENDPOINT_URL"):
        return Setting(environ["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL")
    return Setting(None, "AWS")


def _overruled(
    credentials: Setting, region: Setting, environ: Mapping[str, str]
) -> tuple[str, ...]:
    notes = []
    profile = environ.get("AWS_PROFILE")
    if profile and credentials.origin != "AWS_PROFILE" and credentials.value != profile:
        by = f"profile {credentials.value} ({credentials.origin})"
        notes.append(
            f"AWS_PROFILE={profile} is overruled by"
            f" {by if credentials.value else credentials.origin}"
        )
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        value = environ.get(name)
        if value and value != region.value:
            notes.append(f"{name}={value} is overruled by {region.value} ({region.origin})")
    return tuple(notes)
