"""Sign-in with the user at the terminal, and how to renew it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.profiles import mfa_serial, sign_in_advice
from schoolctl.base.errors import CredentialsError

if TYPE_CHECKING:
    from schoolctl.aws.session.connection import Connection, Setting
    from schoolctl.aws.session.denials import Denials
    from schoolctl.output.reporter import Reporter

_GENERAL = (
    "with SSO, sign in again: `aws sso login --profile NAME`",
    "sign in again: `aws sso login --profile NAME`",
    "renew the credentials (`aws sso login --profile NAME`)",
)
"""What an error says that does not know whose credentials have ended."""


def open_clients(connection: Connection, denials: Denials, reporter: Reporter) -> Clients:
    """Make the AWS clients of a connection; asks for an MFA code where its profile wants one.

    Before any thread is started: the terminal's user answers one question at a time.

    Args:
        connection: where the calls go and as whom.
        denials: notes what AWS denies to these clients.
        reporter: asks the question.

    Raises:
        CredentialsError: there is no terminal to ask on, or signing in failed.
    """
    if mfa_serial(connection.profile) is None:
        return Clients(connection, denials)

    def ask(serial: str) -> str:
        if not reporter.interactive:
            raise CredentialsError(
                f"a code of the MFA device {serial} is needed",
                why="there is no terminal to ask for it",
                hint="run a command on a terminal first, such as `schoolctl profile show`: its"
                " session is kept, and holds for as long as the role allows",
            )
        return reporter.ask_secret(f"code of the MFA device {serial}:").reveal().strip()

    clients = Clients(connection, denials, ask)
    clients.credentials()
    return clients


def with_renewal(hint: str, source: Setting) -> str:
    """Give a hint that says how these very credentials are renewed.

    Args:
        hint: of an error that may not know whose they are.
        source: the profile that they come from, or where else they do.
    """
    if source.origin.startswith("AWS_") and source.value is None:
        advice = f"renew what {source.origin} holds"
    else:
        advice = sign_in_advice(source.value)
    if advice:
        for each in _GENERAL:
            hint = hint.replace(each, advice)
    return hint.replace(" --profile NAME", f" --profile {source.value}" if source.value else "")
