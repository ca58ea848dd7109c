"""The files and the state of one sandbox."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import string
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import BusyError, SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LABEL = "schoolctl.sandbox"
"""Label of the containers and volumes that a sandbox makes; its value is the identity."""


@dataclass(frozen=True)
class Layout:
    """One sandbox: the folder of a schoolctl.yaml, and the environment it stands for."""

    directory: Path
    environment: str

    @property
    def identity(self) -> str:
        """Ten hexadecimal digits, the same at each run and different for each sandbox."""
        key = f"{self.directory.resolve()}\0{self.environment}"
        return hashlib.sha256(key.encode()).hexdigest()[:10]

    @property
    def owner(self) -> str:
        """The name under which the emulator and the engine know this sandbox."""
        return f"schoolctl-sandbox-{self.identity}"

    @property
    def root(self) -> Path:
        """The folder of all environments of this machine, ignored by git."""
        return self.directory / ".schoolctl"

    @property
    def folder(self) -> Path:
        """The folder of this sandbox; `down` removes it."""
        return self.root / self.environment

    @property
    def state_file(self) -> Path:
        """What was chosen at the first `up`: port, keys, passwords."""
        return self.folder / "state.json"

    @property
    def process_file(self) -> Path:
        """Which process the emulator is."""
        return self.folder / "emulator.pid"

    @property
    def log_file(self) -> Path:
        """What the emulator wrote."""
        return self.folder / "emulator.log"

    @property
    def work_folder(self) -> Path:
        """Where the emulator may write."""
        return self.folder / "work"

    @property
    def tls_folder(self) -> Path:
        """The database's certificates."""
        return self.folder / "tls"

    @property
    def lock_file(self) -> Path:
        """Held by the command that changes this sandbox."""
        return self.root / f".{self.environment}.lock"

    @property
    def dotenv_file(self) -> Path:
        """The values that `params set --from-file` seeds."""
        return self.root / f"{self.environment}.env"

    def prepare(self) -> None:
        """Make the folders, readable by their owner alone."""
        for folder in (self.root, self.folder, self.work_folder, self.tls_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")


def write_private(path: Path, text: str) -> None:
    """Put `text` into `path`, whole or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    # Opened with the final mode: at no moment can another user read it.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the sandbox's lock; the kernel lets go of it when this process ends, however it ends.

    Raises:
        BusyError: another command holds it.
    """
    layout.root.mkdir(mode=0o700, exist_ok=True)
    descriptor = _acquire(layout.lock_file)
    try:
        yield
    finally:
        # Removed while held; whoever opened it before finds that it is gone, and opens anew.
        layout.lock_file.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(
                "another `schoolctl sandbox` command is at work on this sandbox",
                why=f"it holds {path}",
                hint="wait until it is done, then run the command again",
            ) from None
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


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
