"""An image's way on the sandbox: a change of one line, pulled back, and to another environment."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Sandbox

THERE = "schoolapp-tested"


def _docker(*args: str) -> str:
    return subprocess.check_output(["docker", *args], text=True)


def _home(sandbox: Sandbox) -> dict[str, bytes]:
    found = sandbox.directory.parent / "sandbox-home"
    return {str(path): path.read_bytes() for path in found.rglob("*") if path.is_file()}


@pytest.fixture
def changed(sandbox: Sandbox) -> Iterator[None]:
    """Change one line of the service while the test runs."""
    code = sandbox.directory / "service" / "app.py"
    before = code.read_text()
    code.write_text(f"{before}# one more line\n")
    yield
    code.write_text(before)


@pytest.fixture
def tested(sandbox: Sandbox) -> Iterator[str]:
    """Give another environment of the same account, with a repository of its own."""
    file = sandbox.directory / "schoolctl.yaml"
    before = file.read_text()
    config = yaml.safe_load(before)
    overlay = sandbox.directory / ".schoolctl" / "sandbox.yaml"
    config["environments"]["tested"] = {
        **config["environments"]["sandbox"],
        "image": {"repository": THERE},
    }
    file.write_text(yaml.safe_dump(config))
    other = overlay.with_name("tested.yaml")
    content = yaml.safe_load(overlay.read_text())
    content.setdefault("image", {})["repository"] = THERE
    other.write_text(yaml.safe_dump(content))
    yield "tested"
    other.unlink()
    file.write_text(before)


def test_a_change_of_one_line_sends_little_and_writes_nothing_at_home(
    sandbox: Sandbox, changed: None
) -> None:
    del changed
    before = _home(sandbox)

    pushed = sandbox.json("push", "--tag", "one-line")

    assert 0 < pushed["sent_bytes"] < 100_000
    assert _home(sandbox) == before


def test_what_is_pulled_is_what_was_pushed_by_tag_and_by_digest(sandbox: Sandbox) -> None:
    told = sandbox.json("push", "--tag", "1.0")
    built = _docker("image", "inspect", "--format", "{{.Id}}", told["image"]).strip()
    _docker("rmi", "--force", told["image"])

    sandbox.run("pull", "--tag", "1.0")
    by_tag = _docker("image", "inspect", "--format", "{{.Id}}", told["image"]).strip()
    sandbox.run("pull", "--digest", told["digest"])
    by_digest = _docker("image", "inspect", "--format", "{{.Id}}", told["reference"]).strip()

    assert (by_tag, by_digest) == (built, built)
    keys = yaml.safe_load((sandbox.directory / ".schoolctl" / "sandbox.yaml").read_text())
    secret = keys["credentials"]["secret_access_key"]
    assert secret not in _docker("history", "--no-trunc", told["image"])


def test_a_tested_image_goes_to_another_environment_as_it_is(sandbox: Sandbox, tested: str) -> None:
    before = sandbox.json("push", "--tag", "1.0")

    copied = sandbox.json(
        "-e", tested, "push", "--from", "sandbox", "--tag", "1.0", "--create-repo"
    )
    again = sandbox.json("-e", tested, "push", "--from", "sandbox", "--tag", "1.0")
    sandbox.run("-e", tested, "pull", "--digest", copied["digest"])

    assert copied["digest"] == before["digest"]
    assert (copied["pushed"], again["pushed"]) == (True, False)
    _docker("rmi", copied["reference"])
