"""What `make demo` takes for granted of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.demo import AFTER, BEFORE, ROOT, change_heading, heading

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_finds_the_heading_that_it_changes(tmp_path: Path) -> None:
    form = tmp_path / "form.html"
    form.write_text((ROOT / "service" / "templates" / "form.html").read_text("utf-8"), "utf-8")
    assert heading(BEFORE) in form.read_text("utf-8")
    change_heading(tmp_path)
    assert heading(AFTER) in form.read_text("utf-8")
