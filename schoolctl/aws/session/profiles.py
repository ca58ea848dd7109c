"""The profiles of ~/.aws/config and ~/.aws/credentials, and sessions that use one of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore import session as botocore_session
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.utils import JSONFileCache, SSOTokenLoader

from schoolctl.aws.session.errors import translated
from schoolctl.base.clock import parse_time
from schoolctl.base.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from botocore.credentials import Credentials
    from botocore.session import Session

    Ask = Callable[[str], str]


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
    return botocore_session.Session(session_vars=unread, profile=profile)


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
        ends_at = parse_time(token["expiresAt"])
    except (BotoCoreError, KeyError, ValueError):
        return None
    return None if token.get("refreshToken") else ends_at


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


def mfa_serial(profile: str | None) -> str | None:
    """Give the MFA device that a profile, or one that it starts from, asks for; mostly None."""
    if profile is None:
        return None
    chain = source_chain(_profile_table(open_session(profile)), profile)
    return next((each["mfa_serial"] for each in chain.values() if "mfa_serial" in each), None)


def ask_for_mfa(session: Session, ask: Ask) -> None:
    """Have a session ask for its MFA code by `ask`, and keep what came of it.

    The credentials are kept where the AWS CLI keeps them, under the same name: a code that was
    typed for one of the two counts for both, until the role's session ends.
    """
    resolver = session.get_component("credential_provider")
    provider: Any = resolver.get_provider("assume-role")
    provider.cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))
    # botocore takes it in the constructor only, which is not called by us.
    provider._prompter = lambda _: ask(_serial_of(session))  # noqa: SLF001


def sign_in(find: Callable[[], Credentials | None]) -> Credentials | None:
    """Find credentials and get them ready, where that takes a call, a program or a question.

    Raises:
        CredentialsError: a file or a program that the profile names gave none.
    """
    try:
        with translated("find AWS credentials"):
            found = _found(find)
    except EOFError as error:
        raise CredentialsError(
            "could not find AWS credentials",
            why="the profile wants a code of an MFA device, and nobody gave one",
            hint="run `schoolctl profile show --profile NAME` on a terminal first",
        ) from error
    return found


def _found(find: Callable[[], Credentials | None]) -> Credentials | None:
    try:
        found = find()
        if found is not None:
            found.get_frozen_credentials()
    except (OSError, ValueError) as error:
        raise _nothing_found(error) from error
    return found


def _nothing_found(error: OSError | ValueError) -> CredentialsError:
    """Give our error for a source that is not there, or gives something else. Quotes no value."""
    what = "could not find AWS credentials"
    if isinstance(error, OSError):
        return CredentialsError(
            what,
            why=f"a program or file that the profile names is not there: {error.filename}"
            f" ({error.strerror})",
            hint="run the profile's `credential_process` by hand, or look at its"
            " `web_identity_token_file`",
        )
    if isinstance(error, JSONDecodeError | UnicodeError):
        return CredentialsError(
            what,
            why="the program that the profile names gave no JSON",
            hint="run the profile's `credential_process` by hand",
        )
    return CredentialsError(
        what,
        why="keys are taken from this machine's own address and from AWS's alone",
        hint="check AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )


def _serial_of(session: Session) -> str:
    name = session.get_config_variable("profile") or session.profile
    return mfa_serial(name) or "the MFA device"


def _profile_table(session: Session) -> Mapping[str, Mapping[str, str]]:
    with translated("read the AWS profiles"):
        found: Mapping[str, Mapping[str, str]] = session.full_config.get("profiles", {})
    return found
