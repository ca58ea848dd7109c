"""Judgements on the way to AWS: settings, clock, credentials, account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schoolctl.base.errors import CredentialsError
from schoolctl.base.text import duration, is_loopback, without_user_info
from schoolctl.doctor.verdict import Verdict, fail, ok, skip, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.aws.session.connection import Connection
    from schoolctl.base.errors import SchoolctlError
    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import Identity

_SKEW_SECONDS = 300
"""AWS takes no signature that is older or younger."""
_NOTED_SKEW_SECONDS = 60
_SOON_SECONDS = 1800
_SET_CLOCK = "set this machine's clock: `timedatectl set-ntp true`"


@dataclass(frozen=True)
class Caller:
    """What AWS said when it was asked who we are.

    Attributes:
        identity: who we are; None where it did not tell.
        error: why not.
        skew_seconds: how far this machine's clock is ahead of AWS's; None where no answer came.
        expires_seconds: how long the credentials last; None where they do not expire, or are
            renewed without a person.
        renewal: what a person does to renew them.
    """

    identity: Identity | None
    error: SchoolctlError | None
    skew_seconds: float | None
    expires_seconds: float | None = None
    renewal: str = ""

    @property
    def is_skewed(self) -> bool:
        """Whether AWS takes no signature of this machine's."""
        return self.skew_seconds is not None and abs(self.skew_seconds) >= _SKEW_SECONDS


def judge_profile(connection: Connection) -> Verdict:
    """Judge where credentials come from."""
    chosen = connection.credentials
    return ok(f"{chosen.value} ({chosen.origin})" if chosen.value else chosen.origin)


def judge_region(connection: Connection) -> Verdict:
    """Judge the region."""
    return ok(f"{connection.region.value} ({connection.region.origin})")


def judge_endpoint(
    config: Config, connection: Connection, overrides: Sequence[str], caller: Caller
) -> Verdict:
    """Judge where the calls go, and whether something answers there.

    Args:
        config: the configuration of the environment.
        connection: its settings.
        overrides: variables of the process's environment that lead single services elsewhere.
        caller: what answered.
    """
    endpoint = connection.endpoint_url
    shown = without_user_info(endpoint.value or "AWS")
    if caller.error is not None and not isinstance(caller.error, CredentialsError):
        host = urlsplit(endpoint.value or "").hostname or ""
        cure = caller.error.hint
        if is_loopback(host):
            cure = f"bring the local AWS up: `schoolctl sandbox up`, or correct {endpoint.origin}"
        return fail(f"{shown} does not answer ({caller.error.what})", cure)
    stray = list(overrides)
    if endpoint.origin == "AWS_ENDPOINT_URL":
        stray.append("AWS_ENDPOINT_URL")
    if stray and config.endpoint_url is None:
        what = f"{', '.join(stray)} in the environment leads calls elsewhere than to AWS"
        cure = f"`unset {' '.join(stray)}`"
        return fail(what, cure) if config.protected else warn(what, cure)
    return ok(f"{shown} ({endpoint.origin})" if endpoint.value else shown)


def judge_clock(caller: Caller) -> Verdict:
    """Judge this machine's clock by the time in AWS's answer."""
    skew = caller.skew_seconds
    if skew is None:
        return skip("there was no answer of AWS to compare it with")
    what = f"{duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} AWS's"
    if caller.is_skewed:
        return fail(f"{what}: its signatures are refused", _SET_CLOCK)
    if abs(skew) >= _NOTED_SKEW_SECONDS:
        return warn(what, _SET_CLOCK)
    return ok("in step with AWS's")


def judge_credentials(caller: Caller) -> Verdict:
    """Judge whether AWS takes the credentials, and for how long.

    Raises:
        SchoolctlError: what AWS said, where it takes none.
    """
    if caller.is_skewed and caller.identity is None:
        return skip("clock failed")
    if caller.error is not None:
        raise caller.error
    if caller.identity is None:
        return skip("AWS did not tell")
    if caller.expires_seconds is not None:
        left = f"{caller.identity.arn}, for {duration(caller.expires_seconds)} more"
        if caller.expires_seconds < _SOON_SECONDS:
            return warn(left, caller.renewal)
        return ok(left)
    return ok(caller.identity.arn)


def judge_account(config: Config, caller: Caller) -> Verdict:
    """Judge whether the credentials lead to the account that the environment is pinned to."""
    if caller.identity is None:
        return skip("credentials failed")
    account = caller.identity.account
    if config.account is None:
        return warn(
            f"{account}, and the environment pins none: any other would do",
            f'write `account: "{account}"` into environment {config.environment} of schoolctl.yaml',
        )
    if config.account != account:
        return fail(
            f"the credentials lead to {account}, and the environment is {config.account}",
            "choose a profile that leads there: `schoolctl profile list`, then `schoolctl profile"
            f" use NAME`; or correct `account` of environment {config.environment}",
        )
    return ok(f"{account}, as the environment pins it")
