"""The region, credentials and endpoint of a connection, and their precedence.

Credentials: a flag, then keys of this machine's overlay (a local AWS's throwaway ones), then keys
or a web identity in the process's environment, then the environment's own profile, then
`AWS_PROFILE`, then the default chain. Region: a flag, the environment, the chosen profile,
`AWS_REGION`, `AWS_DEFAULT_REGION`, and at last the default profile's, which nobody chose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schoolctl.base.errors import CredentialsError, UsageError, WrongTargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schoolctl.config.models import Config
    from schoolctl.model.values import SecretValue

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ZONE = re.compile(r"([a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})[a-z]")
_ENDPOINT = "AWS_ENDPOINT_URL"
_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonwebservices.com.cn")
"""How the hosts of AWS end."""


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
    botocore_finds_endpoint: bool = False
    """Whether the endpoint is one that the process's environment or a profile sets: botocore knows
    of one for each service, too, and which of them is the stronger."""

    @property
    def configured_endpoint(self) -> str | None:
        """The endpoint that clients are told; None where botocore is to find it by itself."""
        return None if self.botocore_finds_endpoint else self.endpoint_url.value

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
    profile_endpoints: Callable[[str | None], Mapping[str, str]] = lambda _: {},
) -> Connection:
    """Decide profile, region and endpoint.

    Args:
        flag_profile: `--profile`.
        flag_region: `--region`.
        config: the resolved configuration; None for commands that work without one.
        environ: the process's environment.
        profile_region: gives the region that a profile (None: the default one) is set to, and
            raises a `CredentialsError` for one that does not exist.
        profile_endpoints: gives the addresses that a profile leads calls to, by their place.

    Raises:
        WrongTargetError: something but schoolctl.yaml leads a protected environment's calls away.
        UsageError: no region is set anywhere, what is set is none, or AWS_ENDPOINT_URL is no URL.
        CredentialsError: the profile does not exist, or half a key is in the environment.
    """
    keys = None if flag_profile else _overlay_keys(config)
    credentials = _credentials(flag_profile, config, environ, keys)
    # Read even where another region wins: an unknown profile is an error in any case.
    of_profile = profile_region(credentials.value) if credentials.value else None
    region = next(
        (
            each
            for each in _regions(flag_region, config, environ, credentials, of_profile)
            if each.value
        ),
        None,
    ) or Setting(profile_region(None), "default profile")
    if not region.value:
        raise UsageError(
            "no AWS region is set",
            why="neither --region, the environment, the profile nor AWS_REGION names one",
            hint="add `region:` to the environment in schoolctl.yaml, or give --region"
            if config is not None
            else "give --region, or set AWS_REGION",
        )
    _refuse_strange_region(region)
    return Connection(
        credentials=credentials,
        region=region,
        endpoint_url=_endpoint(config, environ, lambda: profile_endpoints(credentials.value)),
        keys=keys,
        notes=tuple(_overruled(credentials, region, environ)),
        botocore_finds_endpoint=config is None or not config.endpoint_url,
    )


def _overlay_keys(config: Config | None) -> StaticKeys | None:
    if config is None or config.credentials is None:
        return None
    return StaticKeys(config.credentials.access_key_id, config.credentials.secret_access_key)


def _credentials(
    flag: str | None, config: Config | None, environ: Mapping[str, str], keys: StaticKeys | None
) -> Setting:
    if flag:
        return Setting(flag, "--profile")
    if config is not None and keys is not None:
        # An account's own keys in the process's environment have no meaning at a local AWS.
        return Setting(None, f".schoolctl/{config.environment}.yaml")
    present = [name for name in _KEYS if environ.get(name)]
    if len(present) == 1:
        missing = next(name for name in _KEYS if name not in present)
        raise CredentialsError(
            f"{present[0]} is set in the environment, and {missing} is not",
            why="a key has two halves; botocore would use other credentials or none",
            hint=f"set {missing}, too, or unset {present[0]}",
        )
    if present:
        return Setting(None, present[0])
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return Setting(None, "AWS_WEB_IDENTITY_TOKEN_FILE")
    if config is not None and config.profile:
        return Setting(config.profile, f"environment {config.environment}")
    for name in _PROFILES:
        if environ.get(name):
            return Setting(environ[name], name)
    return Setting(None, "default chain")


def _regions(
    flag: str | None,
    config: Config | None,
    environ: Mapping[str, str],
    credentials: Setting,
    of_profile: str | None,
) -> Iterator[Setting]:
    """Give the regions that are set, the strongest first; some have no value."""
    yield Setting(flag, "--region")
    if config is not None:
        yield Setting(config.region, f"environment {config.environment}")
    yield Setting(of_profile, f"profile {credentials.value}")
    # boto3 itself reads only AWS_DEFAULT_REGION; the other SDKs read AWS_REGION.
    for name in _REGIONS:
        yield Setting(environ.get(name), name)


def _refuse_strange_region(region: Setting) -> None:
    """Refuse what is not even a name: it would become part of a host's, and lead anywhere."""
    name = region.value or ""
    zone = _ZONE.fullmatch(name)
    if zone is None and _REGION.fullmatch(name):
        return
    raise UsageError(
        f"{name!r} ({region.origin}) is no AWS region",
        why=f"it is an availability zone of {zone[1]}"
        if zone is not None
        else "a region is written in lower-case letters, digits and -, such as us-east-1",
        hint=f"give {zone[1]}" if zone is not None else "correct it where it was set",
    )


def _endpoint(
    config: Config | None,
    environ: Mapping[str, str],
    of_profile: Callable[[], Mapping[str, str]],
) -> Setting:
    if config is not None and config.endpoint_url:
        return Setting(config.endpoint_url, f"environment {config.environment}")
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return Setting(None, "AWS")
    found = {
        name: environ[name]
        for name in sorted(environ, key=lambda name: (name == _ENDPOINT, name))
        if environ[name] and (name == _ENDPOINT or name.startswith(f"{_ENDPOINT}_"))
    }
    for name, url in found.items():
        if not _is_url(url):
            # Not quoted: an address may hold a password.
            raise UsageError(
                f"{name} in the environment is no URL",
                why="an endpoint begins with http:// or https:// and a host",
                hint="correct it, or unset it to call AWS itself",
            )
    found.update(of_profile())
    if config is not None and config.protected:
        _refuse_leading_away(config, found)
    for origin, url in found.items():
        if origin == _ENDPOINT or origin.startswith("profile "):
            return Setting(url, origin)
    return Setting(None, "AWS")


def _refuse_leading_away(config: Config, found: Mapping[str, str]) -> None:
    """Refuse an address that somebody set for something else, and forgot."""
    for origin, url in found.items():
        host = urlsplit(url).hostname or "" if _is_url(url) else ""
        if host.endswith(_OF_AWS):
            continue  # a VPC endpoint, or a FIPS one
        variable = origin.startswith(_ENDPOINT)
        raise WrongTargetError(
            f"environment {config.environment} is protected, and {origin} leads its calls to"
            f" {host or 'what is no URL'}",
            why="a protected environment is at AWS, or at the `endpoint_url` that schoolctl.yaml"
            " gives it; nothing was called",
            hint=f"`unset {origin}`"
            if variable
            else f"take `endpoint_url` of {origin} out of ~/.aws/config",
        )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _overruled(credentials: Setting, region: Setting, environ: Mapping[str, str]) -> Iterator[str]:
    profile = environ.get("AWS_PROFILE")
    if profile and credentials.value != profile:
        by = credentials.origin
        if credentials.value:
            by = f"profile {credentials.value} ({credentials.origin})"
        yield f"AWS_PROFILE={profile} is overruled by {by}"
    for name in _REGIONS:
        value = environ.get(name)
        if value and value != region.value:
            yield f"{name}={value} is overruled by {region.value} ({region.origin})"
