"""Where a bad input is tried: a project, a home folder, an account, and a look at all of them."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import CONFIG, lead_to_aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from tests.bad_input.case import Case
    from tests.conftest import Aws, Project
    from tests.faults import Faults

_READS = ("BatchCheck", "BatchGet", "Describe", "Get", "HEAD", "List")
_LOCKS = b"/schoolctl/"


@dataclass(frozen=True)
class Scene:
    """The world of one case."""

    project: Project
    aws: Aws
    faults: Faults

    @property
    def directory(self) -> Path:
        """The project's folder."""
        return self.project.directory

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file of the project."""
        return put_file(self.directory / name, content)

    def set_up(self, case: Case, patch: pytest.MonkeyPatch) -> None:
        """Leave what a case wants to find."""
        config = self.directory / "schoolctl.yaml"
        if case.config is None:
            config.unlink()
        else:
            put_file(config, case.config)
            if case.config == CONFIG:
                lead_to_aws(self.directory)
        for name, content in case.files.items():
            self.write(name, content)
        for name, content in case.home.items():
            put_file(Path.home() / name, content)
        if case.prepare is not None:
            case.prepare(self)
        for name, value in case.environ.items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        self.faults.calls.clear()
        self.faults.bodies.clear()

    def look(self) -> Mapping[str, object]:
        """Give every file of the project and the home folder, with its content and its rights."""
        return {
            str(path): (stat.S_IMODE(path.lstat().st_mode), _content(path))
            for root in (self.directory, Path.home())
            for path in sorted(root.rglob("*"))
            if "__pycache__" not in path.parts
        }

    def writes(self) -> list[str]:
        """Give the calls that changed something at AWS; the deploy lock is taken and freed."""
        return [
            call
            for call, body in zip(self.faults.calls, self.faults.bodies, strict=True)
            if not call.startswith(_READS) and _LOCKS not in body
        ]


def put_file(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner can read, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


def _content(path: Path) -> bytes | str:
    if path.is_symlink():
        return str(path.readlink())
    # A sparse file of gigabytes is known by its size.
    small = 10_000_000
    if not path.is_file() or path.stat().st_size > small:
        return str(path.stat().st_size) if path.is_file() else ""
    return path.read_bytes()
