from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.service.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_browser_it_installs_none_where_that_is_forbidden(tmp_path: Path) -> None:
    for name in ("sh", "dirname", "id"):
        program = shutil.which(name)
        assert program is not None
        (tmp_path / name).symlink_to(program)
    run = subprocess.run(
        [REPOSITORY / "scripts/browser.sh"],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "NO_INSTALL": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        "error: there is no Chromium\n"
        "why:   NO_INSTALL=1 forbids to install one\n"
        "hint:  run: .venv/bin/playwright install chromium\n"
    )
