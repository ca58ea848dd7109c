"""The AWS command line that schoolctl is compared with, in an environment of its own.

It pins another botocore than the rest, so it cannot live beside schoolctl.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_LOCK = _HERE / "requirements.txt"


def install(folder: Path) -> Path:
    """Install the locked AWS command line into `folder` once, and give the path of `aws`."""
    aws = folder / "bin" / "aws"
    stamp = folder / "lock.txt"
    if not aws.exists() or not stamp.exists() or stamp.read_text() != _LOCK.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [folder / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", _LOCK],
            check=True,
        )
        stamp.write_text(_LOCK.read_text())
    return aws
