"""Reads when the declared parameters and secrets were written last, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.secrets import find_secret
from schoolctl.aws.ssm import get_parameters
from schoolctl.errors import AccessDeniedError, SchoolctlError
from schoolctl.plan.freshness import Freshness, Stamp

if TYPE_CHECKING:
    from datetime import datetime

    from schoolctl.aws.clients import Clients
    from schoolctl.config import Config


class SettingsObservation:
    """The declared parameters and secrets; the calls begin when this is made.

    Source: SSM GetParameters without decryption, Secrets Manager DescribeSecret.
    """

    def __init__(self, clients: Clients, config: Config) -> None:
        self._names = [config.parameter_name(key) for key in config.parameters]
        self._parameters = clients.start(get_parameters, clients, self._names, decrypt=False)
        self._secrets = {
            name: clients.start(find_secret, clients, name)
            for name in map(config.secret_name, config.secrets)
        }

    def since(self, started_at: datetime | None) -> Freshness:
        """Compare them with a start; what cannot be read is named, never a failure."""
        stamps: list[Stamp] = []
        unread: list[str] = []
        try:
            found = self._parameters.result()
        except SchoolctlError as error:
            unread.append(_why(error))
        else:
            for name in self._names:
                known = found.get(name)
                stamps.append(Stamp(name, "parameter", known.modified_at if known else None))
        for name, call in self._secrets.items():
            try:
                secret = call.result()
            except SchoolctlError as error:
                unread.append(_why(error))
            else:
                there = secret is not None and secret.deleted_at is None
                changed_at = secret.changed_at if secret is not None and there else None
                stamps.append(Stamp(name, "secret", changed_at))
        return Freshness(tuple(stamps), started_at, tuple(dict.fromkeys(unread)))


def _why(error: SchoolctlError) -> str:
    if isinstance(error, AccessDeniedError) and error.action is not None:
        return f"{error.what.removeprefix('could not ')} needs {error.action}"
    return f"{error.what}: {error.why}"
