"""The overlay of one machine: private, written at once, and kind to what is there."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from schoolctl.base.errors import SchoolctlError
from schoolctl.config.overlay import overlay_path, remove_overlay, write_overlay
from schoolctl.config.tree import InvalidConfigError

if TYPE_CHECKING:
    from pathlib import Path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    path = write_overlay(tmp_path, "dev", {"profile": "mine"})
    assert path == tmp_path / ".schoolctl" / "dev.yaml"
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_values_are_merged_into_what_is_there(tmp_path: Path) -> None:
    write_overlay(tmp_path, "dev", {"profile": "a", "task": {"environment": {"A": "1"}}})
    path = write_overlay(tmp_path, "dev", {"profile": "b", "task": {"environment": {"B": "no"}}})
    assert yaml.safe_load(path.read_text()) == {
        "profile": "b",
        "task": {"environment": {"A": "1", "B": "no"}},
    }


def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    path = write_overlay(tmp_path, "dev", {"profile": "a"})
    path.chmod(0o644)
    write_overlay(tmp_path, "dev", {"profile": "b"})
    assert _mode(path) == 0o600


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = write_overlay(tmp_path, "dev", {"profile": "old"})
    with path.open() as reader:
        write_overlay(tmp_path, "dev", {"profile": "new"})
        assert "profile: old" in reader.read()
    assert "profile: new" in path.read_text()


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_overlay(tmp_path, "dev", {"profile": "a"})
    names = {path.name for path in (tmp_path / ".schoolctl").iterdir()}
    assert names == {".gitignore", "dev.yaml"}


def test_a_file_with_problems_is_left_as_it_is(tmp_path: Path) -> None:
    path = write_overlay(tmp_path, "dev", {"profile": "a"})
    path.write_text("profile: [\n")
    with pytest.raises(InvalidConfigError, match=r"\.schoolctl/dev\.yaml has 1 problem"):
        write_overlay(tmp_path, "dev", {"profile": "b"})
    assert path.read_text() == "profile: [\n"


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / ".schoolctl").write_text("a file")
    with pytest.raises(SchoolctlError, match="cannot write") as caught:
        write_overlay(tmp_path, "dev", {"profile": "a"})
    assert caught.value.hint


def test_it_can_be_removed_twice(tmp_path: Path) -> None:
    write_overlay(tmp_path, "dev", {"profile": "a"})
    remove_overlay(tmp_path, "dev")
    assert not overlay_path(tmp_path, "dev").exists()
    remove_overlay(tmp_path, "dev")
