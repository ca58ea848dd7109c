"""The profiles of ~/.aws/config and ~/.aws/credentials, and sessions that use one of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from botocore import session as botocore_session
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.utils import JSONFileCache, SSOTokenLoader, parse_timestamp

from schoolctl.aws.session.errors import translated
from schoolctl.aws.session.service_models import service_models
from schoolctl.base.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from botocore.session import Session

_ROLE_ACCOUNT = re.compile(r"arn:[^:]+:iam::(\d{12}):role/")


@dataclass(frozen=True)
class Profile:
    """A profile as its files tell of it, without asking AWS.

    `kind` is how it signs in: keys, sso, role, web identity, login, process, or `none` where the
    files name no credentials. `account` is empty where only AWS knows it.
    """

    name: str
    kind: str
    account: str
    region: str


def open_session(profile: str | None) -> Session:
    """Make a session that uses `profile`, or none (the default chain), whatever AWS_PROFILE says.

    Which profile counts is decided before, in `schoolctl.aws.session.connection`; a session that
    read `AWS_PROFILE` again would fail for a profile that is overruled and does not exist.
    """
    unread = {"profile": (None, None, None, None)}
    session = botocore_session.Session(session_vars=unread, profile=profile)
    session.register_component("data_loader", service_models())
    return session


def profile_region(name: str | None) -> str | None:
    """Give the region that a profile is set to; None where it has none.

    Args:
        name: the profile; None for the default one.

    Raises:
        CredentialsError: there is no such profile, or the files cannot be read.
    """
    return _settings_of(name).get("region")


def profile_endpoints(name: str | None) -> Mapping[str, str]:
    """Give the addresses that a profile leads calls to, by the words that name their place.

    Source: the AWS SDKs' "service-specific endpoints": `endpoint_url`, and `services` with its
    section of one for each service.
    """
    session = open_session(name)
    with translated("read the AWS profiles"):
        try:
            settings: Mapping[str, str] = session.get_scoped_config()
        except ProfileNotFound:
            return {}  # of a name that was typed, the region's look-up tells
        if settings.get("ignore_configured_endpoint_urls", "").lower() == "true":
            return {}
        sections: Mapping[str, object] = session.full_config.get("services", {})
    found: dict[str, str] = {}
    section = sections.get(settings.get("services", ""))
    for service, inside in section.items() if isinstance(section, dict) else ():
        if isinstance(inside, dict) and inside.get("endpoint_url"):
            found[f"{service} in [services {settings['services']}]"] = str(inside["endpoint_url"])
    if settings.get("endpoint_url"):
        found[f"profile {name or 'default'}"] = settings["endpoint_url"]
    return found


def sign_in_advice(name: str | None) -> str:
    """Say how a profile's credentials are renewed, by the way in which it signs in.

    A role's credentials come from those of the profile that it starts from.
    """
    try:
        profiles = _profiles(open_session(None))
    except (BotoCoreError, OSError):
        return ""
    chain = source_chain(profiles, name or "default")
    if not chain:
        return ""
    last, settings = list(chain.items())[-1]
    kind = _kind(settings)
    advice = {
        "sso": f"sign in again: `aws sso login --profile {last}`",
        "login": f"sign in again: `aws login --profile {last}`",
        "process": f"run the `credential_process` of profile {last} by hand: it has to give keys",
        "web identity": f"the token in the `web_identity_token_file` of profile {last} has to be"
        " a new one",
        "keys": f"put new keys into profile {last}: `aws configure --profile {last}`",
    }
    return advice.get(kind, "")


def source_chain(
    profiles: Mapping[str, Mapping[str, str]], name: str
) -> Mapping[str, Mapping[str, str]]:
    """Give a profile and those that its role starts from, in this order; a loop ends it."""
    chain: dict[str, Mapping[str, str]] = {}
    following: str | None = name
    while following is not None and following in profiles and following not in chain:
        chain[following] = profiles[following]
        following = profiles[following].get("source_profile")
    return chain


def _settings_of(name: str | None) -> Mapping[str, str]:
    session = open_session(name)
    with translated("read the AWS profiles"):
        try:
            found: Mapping[str, str] = session.get_scoped_config()
        except ProfileNotFound as error:
            raise unknown_profile(str(name), _profiles(session)) from error
    return found


def sign_in_ends(profile: str) -> datetime | None:
    """Give when somebody has to sign in again for a profile of IAM Identity Center.

    None where the token is renewed by itself, or none is there.

    Source: the cache of `aws sso login`, as botocore reads it.
    """
    session = open_session(profile)
    settings = session.get_scoped_config()
    name = settings.get("sso_session")
    sessions = session.full_config.get("sso_sessions", {})
    start_url = sessions.get(name, settings).get("sso_start_url", "")
    try:
        token = SSOTokenLoader(JSONFileCache(str(Path("~/.aws/sso/cache").expanduser())))(
            start_url, name
        )
        ends_at = parse_timestamp(token["expiresAt"])
    except (BotoCoreError, KeyError, ValueError):
        return None
    return None if token.get("refreshToken") else ends_at.astimezone(UTC)


def list_profiles() -> tuple[Profile, ...]:
    """Give every profile of both files, by name. Source: botocore's own reading of the files."""
    with translated("read the AWS profiles"):
        found = _profiles(open_session(None))
    return tuple(_profile(name, found[name]) for name in sorted(found))


def _profiles(session: Session) -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = session.full_config.get("profiles", {})
    return found


def _profile(name: str, settings: Mapping[str, str]) -> Profile:
    role = _ROLE_ACCOUNT.match(settings.get("role_arn", ""))
    return Profile(
        name=name,
        kind=_kind(settings),
        account=settings.get("sso_account_id")
        or (role[1] if role else settings.get("aws_account_id", "")),
        region=settings.get("region", ""),
    )


def _kind(settings: Mapping[str, str]) -> str:
    """Say how a profile signs in; the order is botocore's."""
    if "role_arn" in settings:
        return "web identity" if "web_identity_token_file" in settings else "role"
    by_key = {
        "sso_session": "sso",
        "sso_start_url": "sso",
        "aws_access_key_id": "keys",
        "login_session": "login",
        "credential_process": "process",
    }
    return next((kind for key, kind in by_key.items() if key in settings), "none")


def unknown_profile(name: str, known: Mapping[str, object]) -> CredentialsError:
    """Give the error for a profile that is in neither file; it lists those that are."""
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    listed = ", ".join(sorted(known))
    return CredentialsError(
        f"there is no AWS profile {name}{meant}",
        why=f"~/.aws/config and ~/.aws/credentials have {listed}"
        if listed
        else "~/.aws/config and ~/.aws/credentials have no profile at all",
        hint="choose one: `schoolctl profile list`, `schoolctl profile use NAME`"
        if listed
        else f"make it: `aws configure --profile {name}`",
    )
