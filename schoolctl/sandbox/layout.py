"""Where one sandbox keeps its files, and the name that marks everything it makes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
