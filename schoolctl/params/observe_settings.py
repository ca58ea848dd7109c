"""Reads when the declared parameters and secrets were written last, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.secrets import find_secret
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.params.delivery import delivery_of
from schoolctl.params.freshness import Freshness, Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.model.values import SecretInfo


class SettingsObservation:
    """The declared parameters and secrets; the calls begin when this is made.

    Source: SSM GetParameters without decryption, Secrets Manager DescribeSecret.
    """

    def __init__(self, clients: Clients, config: Config, *, only_secrets: bool = False) -> None:
        keys = () if only_secrets else config.parameters
        self._names = [config.parameter_name(key) for key in keys]
        self._parameters = clients.start(get_parameters, clients, self._names, decrypt=False)
        self._secrets = {
            name: clients.start(find_secret, clients, name)
            for name in map(config.secret_name, config.secrets)
        }

    def secrets(self) -> dict[str, SecretInfo | None]:
        """Give the declared secrets by name, None for one that does not exist.

        Raises:
            SchoolctlError: one could not be looked at.
        """
        return {name: call.result() for name, call in self._secrets.items()}

    def since(
        self, started_at: datetime | None, definition: Mapping[str, object] | None = None
    ) -> Freshness:
        """Compare them with a start; what cannot be read is named, never a failure.

        Args:
            started_at: when the oldest task that runs started; None where none runs.
            definition: the task definition that the tasks run; None where it is not known.
        """
        told = definition or {}
        stamps: list[Stamp] = []
        unread: list[str] = []
        try:
            found = self._parameters.result()
        except SchoolctlError as error:
            unread.append(_why(error))
        else:
            for name in self._names:
                known = found.get(name)
                changed_at = known.modified_at if known else None
                stamps.append(Stamp(name, "parameter", changed_at, delivery_of(told, name)))
        for name, call in self._secrets.items():
            try:
                secret = call.result()
            except SchoolctlError as error:
                unread.append(_why(error))
            else:
                there = secret is not None and secret.deleted_at is None
                changed_at = secret.changed_at if secret is not None and there else None
                arn = secret.arn if secret is not None else ""
                stamps.append(Stamp(name, "secret", changed_at, delivery_of(told, name, arn)))
        return Freshness(tuple(stamps), started_at, tuple(dict.fromkeys(unread)))


def _why(error: SchoolctlError) -> str:
    if isinstance(error, AccessDeniedError) and error.action is not None:
        return f"{error.what.removeprefix('could not ')} needs {error.action}"
    return f"{error.what}: {error.why}"
