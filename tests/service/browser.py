"""Chromium for the tests and the pictures of the form; `python -m` says where it is."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_chromium() -> Path | None:
    """Give the browser's program: one of the system, or the one that playwright installed."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run the browser without a window until the end of the context."""
    from playwright.sync_api import sync_playwright

    program = find_chromium()
    assert program is not None, "there is no Chromium: run scripts/browser.sh"
    with sync_playwright() as playwright:
        # As root, as in most containers, Chromium runs only without its sandbox; it sees no page
        # but ours.
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--font-render-hinting=none", "--force-device-scale-factor=1"],
        )
        yield browser
        browser.close()


if __name__ == "__main__":
    program = find_chromium()
    if program is None:
        sys.exit(1)
    print(program)  # noqa: T201 - the answer to a script
