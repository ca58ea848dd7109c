"""Takes the pictures of the registration form that the README shows: `make docs`.

The service runs as it does in its image, on SQLite; the browser is the one of the tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.service.browser import run_chromium
from tests.service.server import migrated_sqlite, run_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS: Final = (320, 1280)
WRONG: Final = {"name": "Ada Lovelace", "email": "ada(at)example.com", "phone": "020 7946 0958"}


def main() -> None:
    """Write form-WIDTH.png and errors-WIDTH.png into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        environ = migrated_sqlite(Path(scratch))
        with run_server(environ, Path(scratch)) as server, run_chromium() as browser:
            for width in WIDTHS:
                _picture(browser, server.url, width, folder)


def _picture(browser: Browser, url: str, width: int, folder: Path) -> None:
    page = browser.new_page(viewport={"width": width, "height": 640}, color_scheme="light")
    page.goto(url)
    page.screenshot(path=folder / f"form-{width}.png", full_page=True)
    for name, value in WRONG.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Register").click()
    page.locator("#summary").wait_for()
    page.screenshot(path=folder / f"errors-{width}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    main()
