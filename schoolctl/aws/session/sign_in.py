"""Signing in: the one moment at which a profile's files, programs and questions come into play.

botocore asks for an MFA code on whatever terminal it finds, from whichever thread is first, and
lets the errors of files and programs through as they are.
"""

from __future__ import annotations

from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.utils import JSONFileCache

from schoolctl.aws.session.errors import translated
from schoolctl.aws.session.profiles import open_session, source_chain
from schoolctl.base.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.credentials import Credentials
    from botocore.session import Session

    Ask = Callable[[str], str]


def mfa_serial(profile: str | None) -> str | None:
    """Give the MFA device that a profile, or one that it starts from, asks for; mostly None."""
    if profile is None:
        return None
    chain = source_chain(_profiles(open_session(profile)), profile)
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


def _profiles(session: Session) -> Mapping[str, Mapping[str, str]]:
    with translated("read the AWS profiles"):
        found: Mapping[str, Mapping[str, str]] = session.full_config.get("profiles", {})
    return found
