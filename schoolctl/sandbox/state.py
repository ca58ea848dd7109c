"""What a sandbox chose when it was first brought up, kept for every later command."""

from __future__ import annotations

import json
import re
import secrets
import string
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import SchoolctlError
from schoolctl.sandbox.layout import write_private

if TYPE_CHECKING:
    from pathlib import Path

_ALPHABET = string.ascii_letters + string.digits
_NAME_LIMIT = 32
"""MySQL allows 32 characters for a user; MariaDB more."""


@dataclass(frozen=True, repr=False)
class State:
    """Ports, addresses, names and secrets of one sandbox.

    Attributes:
        port: where the emulator answers, on loopback and on the bridge.
        bridge: address of this machine on the engine's bridge; the containers use it.
        database_port: where MariaDB answers, on the same two addresses.
    """

    port: int
    bridge: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str
    access_key_id: str
    secret_access_key: str

    @property
    def endpoint(self) -> str:
        """The URL of the emulator for this machine."""
        return f"http://127.0.0.1:{self.port}"


_FORMAT = 1
_FORMATS = {_FORMAT: State}


def new_state(app: str, *, port: int, bridge: str, database_port: int) -> State:
    """Choose names from `app`, and keys and a password at random.

    The password is letters and digits: it has to pass through SQL, a dotenv file and JSON.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", app)[:_NAME_LIMIT]
    return State(
        port=port,
        bridge=bridge,
        database_port=database_port,
        database_name=name,
        database_user=name,
        database_password=_random(32),
        access_key_id=f"AKIA{_random(16).upper()}",
        secret_access_key=_random(40),
    )


def save_state(path: Path, state: State) -> None:
    """Keep `state`, readable by its owner alone."""
    write_private(path, json.dumps({"format": _FORMAT, **asdict(state)}, indent=2) + "\n")


def load_state(path: Path) -> State | None:
    """Read what `save_state` kept; None where there is no sandbox.

    Raises:
        SchoolctlError: the file is damaged or of another version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        return _FORMATS[values.pop("format")](**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SchoolctlError(
            f"{path} cannot be read",
            why=f"it is damaged, or another version of schoolctl wrote it ({error!r})",
            hint="remove the sandbox with `schoolctl sandbox down`, then bring it up again",
        ) from error


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
