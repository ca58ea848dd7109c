"""STS: who the credentials belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import CredentialsError
from schoolctl.model.identity import Identity

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients

_SHOWN = 4


@dataclass(frozen=True)
class KeyInUse:
    """The access key that calls are signed with, as far as it may be shown."""

    masked: str
    source: str
    """The overlay that has it, or where botocore found it, in its words: `env`, `sso`, ..."""


def get_identity(clients: Clients) -> Identity:
    """Give the caller's account and ARN. Source: STS GetCallerIdentity."""
    with translated("find out whose credentials these are"):
        answer = clients.sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"], answer["UserId"])


def key_in_use(clients: Clients) -> KeyInUse:
    """Give the access key in use, all but its last four characters masked.

    Raises:
        CredentialsError: there are none, or signing in failed.
    """
    with translated("find AWS credentials"):
        found = clients.credentials()
        if found is None:
            raise CredentialsError(
                "could not find AWS credentials",
                why="neither the profile, the environment nor this machine's role gives any",
                hint="run `schoolctl profile list`, then `schoolctl profile use NAME`",
            )
        key = found.get_frozen_credentials().access_key or ""
    # botocore's word for keys that it was handed, which says nothing of where they were written.
    handed = found.method == "explicit"
    source = clients.connection.credentials.origin if handed else found.method
    return KeyInUse(f"****{key[-_SHOWN:]}", source)
