"""Snapshots: files in tests/snapshots that a review reads; `UPDATE_SNAPSHOTS=1` writes them."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "snapshots"
# Read when this is imported: the fixtures clear the environment before each test.
_UPDATE = os.environ.get("UPDATE_SNAPSHOTS") == "1"


def check_snapshot(name: str, text: str) -> None:
    """Compare `text` with tests/snapshots/`name`, to the letter."""
    path = _FOLDER / name
    if _UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    wanted = path.read_text(encoding="utf-8") if path.exists() else "(no snapshot yet)\n"
    assert text == wanted, f"tests/snapshots/{name} differs; UPDATE_SNAPSHOTS=1 writes it anew"
