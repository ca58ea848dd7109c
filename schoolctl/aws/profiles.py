"""The profiles of ~/.aws/config and ~/.aws/credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import session as botocore_session
from botocore.exceptions import ProfileNotFound

if TYPE_CHECKING:
    from botocore.session import Session


def profile_region(name: str | None) -> str | None:
    """Give the region that a profile is set to; None where it has none or does not exist.

    Args:
        name: the profile; None for the default one.
    """
    try:
        scoped = _session(name).get_scoped_config()
    except ProfileNotFound:
        # Making the session says so with a list of the profiles there are.
        return None
    region: str | None = scoped.get("region")
    return region


def _session(profile: str | None) -> Session:
    return botocore_session.Session(profile=profile)
