"""What a sandbox remembers, and where."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import BusyError, SchoolctlError
from schoolctl.sandbox.resources import (
    Layout,
    State,
    load_state,
    locked,
    new_state,
    save_state,
    write_private,
)

if TYPE_CHECKING:
    from pathlib import Path


def make(app: str = "schoolapp") -> State:
    return new_state(app, port=4566, bridge="172.17.0.1", database_port=13306)


def test_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = make()
    save_state(tmp_path / "state.json", state)
    assert load_state(tmp_path / "state.json") == state


def test_there_is_no_state_before_the_first_up(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state.json") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', '{"format": 2, "port": 1}', '{"format": []}', "nul"]
)
def test_a_damaged_state_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SchoolctlError) as caught:
        load_state(tmp_path / "state.json")
    assert "schoolctl sandbox down" in caught.value.hint


def test_secrets_differ_each_time_and_do_not_print() -> None:
    one, two = make(), make()
    assert one.database_password != two.database_password
    assert one.secret_access_key != two.secret_access_key
    assert one.database_password not in repr(one)


@pytest.mark.parametrize(
    ("app", "name"),
    [("schoolapp", "schoolapp"), ("school-app", "school_app"), ("a" * 50, "a" * 32)],
)
def test_the_database_s_names_need_no_quotes(app: str, name: str) -> None:
    state = make(app)
    assert (state.database_name, state.database_user) == (name, name)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", state.database_password)


def test_the_access_key_is_none_that_the_emulator_takes_for_an_account() -> None:
    assert re.fullmatch(r"AKIA[A-Z0-9]{16}", make().access_key_id)


def test_each_project_and_environment_has_an_identity_of_its_own(tmp_path: Path) -> None:
    layouts = [
        Layout(tmp_path / "a", "sandbox"),
        Layout(tmp_path / "b", "sandbox"),
        Layout(tmp_path / "a", "local"),
    ]
    assert len({each.identity for each in layouts}) == 3
    assert Layout(tmp_path / "b" / ".." / "a", "sandbox").identity == layouts[0].identity


def test_folders_are_closed_to_others_and_ignored_by_git(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "sandbox")
    layout.prepare()
    folders = (layout.root, layout.folder, layout.work_folder, layout.tls_folder)
    assert {stat.S_IMODE(each.stat().st_mode) for each in folders} == {0o700}
    assert (layout.root / ".gitignore").read_text() == "*\n"


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "file"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, "after")
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]


def test_two_commands_at_once_are_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "sandbox")
    with locked(layout), pytest.raises(BusyError), locked(layout):
        pass


def test_the_lock_is_free_again_and_leaves_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "sandbox")
    for _ in range(2):
        with locked(layout):
            assert layout.lock_file.exists()
    assert list(layout.root.iterdir()) == []
