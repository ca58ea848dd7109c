"""What a sandbox writes for the other commands: the machine's overlay, and the values to seed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schoolctl.base.errors import ConfigError
from schoolctl.sandbox.emulator import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config.models import Config
    from schoolctl.sandbox.resources import State

OUR_KEYS: dict[str, object] = {
    "region": None,
    "account": None,
    "endpoint_url": None,
    "registry": None,
    "credentials": None,
    "image": {"platform": None, "build_args": {"BASE_IMAGE": None}},
    "task": {
        "environment": dict.fromkeys(
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DB_PORT", "DB_CA_PEM")
        )
    },
}
"""The keys of the overlay that a sandbox writes, and takes out again when it goes."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def check_local(config: Config) -> None:
    """Refuse an environment that is not meant for a local AWS: its overlay would hide a real one.

    Raises:
        ConfigError: its endpoint is missing or on another machine, or it is protected.
    """
    host = urlsplit(config.endpoint_url or "").hostname
    if host in _LOOPBACK and not config.protected:
        return
    if config.protected:
        reason = "it is protected"
    elif host is None:
        reason = "it has no `endpoint_url`, so it is a real AWS account"
    else:
        reason = f"its `endpoint_url` leads to {host}, not to this machine"
    raise ConfigError(
        f"environment {config.environment} is not a sandbox",
        why=reason,
        hint="name an environment whose `endpoint_url` is http://127.0.0.1:4566: `-e sandbox`",
    )


def overlay_values(
    state: State, *, region: str, base_image: str | None, platform: str, authority: str
) -> dict[str, object]:
    """Give what `.schoolctl/<environment>.yaml` has to say.

    Args:
        state: the sandbox.
        region: the region its account is seeded in.
        base_image: value of the build argument BASE_IMAGE; None where the Dockerfile has none.
        platform: what this machine's engine runs, such as `linux/amd64`.
        authority: PEM text of the certificate that signed the database's.
    """
    keys = {
        "AWS_ACCESS_KEY_ID": state.access_key_id,
        "AWS_SECRET_ACCESS_KEY": state.secret_access_key,
    }
    image: dict[str, object] = {"platform": platform}
    if base_image is not None:
        image["build_args"] = {"BASE_IMAGE": base_image}
    return {
        "region": region,
        "account": ACCOUNT,
        "endpoint_url": state.endpoint,
        "registry": f"127.0.0.1:{state.port}",
        "credentials": {
            "access_key_id": state.access_key_id,
            "secret_access_key": state.secret_access_key,
        },
        "image": image,
        # In a task boto3 refuses the emulator's address for a role's credentials (it is neither
        # loopback nor a link-local one), so the keys are plain variables. They are worth nothing.
        "task": {
            "environment": {
                **keys,
                "DB_PORT": str(state.database_port),
                "DB_CA_PEM": authority,
            }
        },
    }


def dotenv_text(config: Config, state: State) -> str:
    """Give the lines for `params set --from-file`: what the configuration takes from a database.

    Entries are found by their `from:`, and those without one by the documented names.
    """
    values = {
        "rds.endpoint": state.bridge,
        "rds.port": str(state.database_port),
        "rds.database": state.database_name,
        "rds.user": state.database_user,
        "rds.managed_secret": state.database_password,
    }
    by_name = {
        "db_host": values["rds.endpoint"],
        "db_name": values["rds.database"],
        "db_user": values["rds.user"],
        "db_password": values["rds.managed_secret"],
    }
    entries: dict[str, str | None] = {
        **{key: each.source for key, each in config.parameters.items()},
        **{key: each.source for key, each in config.secrets.items()},
    }
    lines = []
    for key, source in entries.items():
        value = values.get(source or "", by_name.get(key))
        if value is not None:
            lines.append(f"{key}={value}\n")
    return "".join(lines)


def without(values: Mapping[str, object], ours: Mapping[str, object]) -> dict[str, object]:
    """Give `values` without the keys of `ours`, at every depth, and without what is empty then."""
    kept: dict[str, object] = {}
    for key, value in values.items():
        mine = ours.get(key)
        if key not in ours:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(mine, dict):
            rest = without(value, mine)
            if rest:
                kept[key] = rest
    return kept
