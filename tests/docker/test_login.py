"""Docker's config.json: a login goes in, and nothing of the user's goes out."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import EngineError
from schoolctl.docker.login import LoginPlace, find_login_place, store_login
from schoolctl.model.images import RegistryLogin
from schoolctl.model.values import SecretValue

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
LOGIN = RegistryLogin(REGISTRY, "AWS", SecretValue("the-token"), datetime(2026, 11, 2, tzinfo=UTC))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


def environ(file: Path) -> dict[str, str]:
    return {
        "DOCKER_CONFIG": str(file.parent),
        "PATH": f"{file.parent.parent / 'bin'}:/usr/bin:/bin",
    }


def write(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def log_in(file: Path) -> dict[str, Any]:
    store_login(LOGIN, find_login_place(REGISTRY, environ(file)), environ(file))
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def helper(file: Path, name: str, script: str) -> Path:
    """Install a credential helper that is a shell script; gives where it may leave notes."""
    folder = file.parent.parent / "bin"
    folder.mkdir(exist_ok=True)
    notes = folder / "notes"
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script.format(notes=notes)}\n")
    program.chmod(0o755)
    return notes


def test_a_login_is_stored_as_docker_stores_it(file: Path) -> None:
    stored = log_in(file)["auths"][REGISTRY]["auth"]
    assert base64.b64decode(stored) == b"AWS:the-token"


def test_the_file_is_for_its_owner_alone(file: Path) -> None:
    write(file, {})
    file.chmod(0o644)
    log_in(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_everything_else_in_the_file_stays(file: Path) -> None:
    before = {
        "psFormat": "table",
        "auths": {"ghcr.io": {"auth": "eDp5"}},
        "credHelpers": {"other.test": "pass"},
    }
    write(file, before)
    after = log_in(file)
    del after["auths"][REGISTRY]
    assert after == before
    assert list(after) == list(before)


def test_an_old_login_under_another_spelling_goes(file: Path) -> None:
    write(file, {"auths": {f"https://{REGISTRY}": {"auth": "b2xk"}, "https://x.test": {}}})
    assert set(log_in(file)["auths"]) == {"https://x.test", REGISTRY}


def test_an_empty_file_is_no_obstacle(file: Path) -> None:
    write(file, "")
    assert REGISTRY in log_in(file)["auths"]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"auths": []}', '{"credHelpers": "x"}', "\0"],
)
def test_a_file_that_cannot_be_read_is_left_alone(file: Path, content: str) -> None:
    write(file, content)
    with pytest.raises(EngineError, match="left as it is") as raised:
        log_in(file)
    assert file.read_text() == content
    assert str(file) in raised.value.hint


def test_a_link_to_the_file_stays_a_link(file: Path) -> None:
    target = file.parent.parent / "dotfiles.json"
    target.write_text("{}")
    file.parent.mkdir()
    file.symlink_to(target)
    log_in(file)
    assert file.is_symlink()
    assert REGISTRY in json.loads(target.read_text())["auths"]


@pytest.mark.parametrize(
    "content", [{"credsStore": "test"}, {"credsStore": "none", "credHelpers": {REGISTRY: "test"}}]
)
def test_a_credential_store_gets_the_login(file: Path, content: dict[str, Any]) -> None:
    write(file, content)
    notes = helper(file, "test", 'echo "$@" > {notes}; cat >> {notes}')
    place = find_login_place(REGISTRY, environ(file))
    store_login(LOGIN, place, environ(file))
    said = notes.read_text().splitlines()
    assert said[0] == "store"  # and no token beside it
    assert json.loads(said[1]) == {"ServerURL": REGISTRY, "Username": "AWS", "Secret": "the-token"}
    assert json.loads(file.read_text()) == content


def test_a_credential_store_that_fails_is_an_error(file: Path) -> None:
    write(file, {"credsStore": "test"})
    helper(file, "test", "echo the keychain is locked; exit 1")
    with pytest.raises(EngineError, match="docker-credential-test") as raised:
        store_login(LOGIN, find_login_place(REGISTRY, environ(file)), environ(file))
    assert "keychain is locked" in raised.value.why


def test_a_credential_store_that_is_not_there_is_an_error(file: Path) -> None:
    write(file, {"credsStore": "nowhere"})
    with pytest.raises(EngineError) as raised:
        log_in(file)
    assert "not on PATH" in raised.value.why
    assert "credsStore" in raised.value.hint


def test_amazons_own_helper_needs_no_login(file: Path) -> None:
    write(file, {"credHelpers": {REGISTRY: "ecr-login"}})
    assert find_login_place(REGISTRY, environ(file)).needs_no_login


def test_logins_at_the_same_time_all_stay(file: Path) -> None:
    write(file, {"auths": {"ghcr.io": {"auth": "eDp5"}}})
    registries = [f"{number:012}.dkr.ecr.us-east-1.amazonaws.com" for number in range(12)]
    # All of them look before the first one writes.
    places = [find_login_place(each, environ(file)) for each in registries]

    def log_in_to(registry: str, place: LoginPlace) -> None:
        store_login(replace(LOGIN, registry=registry), place, environ(file))

    with ThreadPoolExecutor(len(registries)) as pool:
        list(pool.map(log_in_to, registries, places))

    assert set(json.loads(file.read_text())["auths"]) == {"ghcr.io", *registries}
    assert [each.name for each in file.parent.iterdir()] == ["config.json"]
