"""The help pages: every command has one, the reference is fresh, the lists tell the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from schoolctl.app import COMMANDS, Entry, load_command
from scripts.reference import WIDTH, help_pages, reference
from tests.snapshots import check_snapshot

ROOT = Path(__file__).parents[2]
PAGES = dict(help_pages())


@pytest.mark.parametrize("path", PAGES)
def test_help_page_is_as_reviewed(path: str) -> None:
    check_snapshot(f"help/{path.replace(' ', '-')}.txt", PAGES[path])


@pytest.mark.parametrize("path", PAGES)
def test_help_page_fits_a_narrow_terminal(path: str) -> None:
    assert max(map(len, PAGES[path].splitlines())) <= WIDTH


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_root_page_says_of_a_command_what_the_command_says(entry: Entry) -> None:
    command = load_command(entry.name)
    assert (command.help or "").strip().splitlines()[0] == entry.help


@pytest.mark.parametrize("path", PAGES)
def test_no_line_of_a_list_of_commands_is_cut(path: str) -> None:
    assert [line for line in PAGES[path].splitlines()[1:] if line.endswith("...")] == []


def test_command_reference_is_fresh() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "run `make docs`"


def test_no_help_page_is_empty() -> None:
    assert [path for path, page in PAGES.items() if len(page.splitlines()) < 3] == []
