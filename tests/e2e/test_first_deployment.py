"""A first deployment, and the days after it: what the issue of the whole product is about."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Sandbox


def _ask(
    sandbox: Sandbox, method: str, path: str, body: dict[str, str] | None = None
) -> tuple[int, str]:
    """Send a request through the load balancer.

    Its name ends in `.localhost`: browsers and curl take that for this machine, Python asks a
    resolver that may not.
    """
    url = urllib.parse.urlsplit(sandbox.json("sandbox", "status")["url"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=20)
    headers = {"Host": url.netloc, "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def _register(sandbox: Sandbox, person: dict[str, str]) -> tuple[int, dict[str, Any]]:
    status, text = _ask(sandbox, "POST", "/api/register", person)
    return status, json.loads(text)


def _person(**other: str) -> dict[str, str]:
    unique = uuid.uuid4().hex[:12]
    return {
        "name": "Ada Lovelace",
        "email": f"ada.{unique}@school.example",
        "phone": "+44 20 7946 0958",
        "program": "Mathematics",
        **other,
    }


@pytest.fixture
def crashing(sandbox: Sandbox) -> Iterator[Path]:
    """Change the image so that its process ends at once, while the test runs."""
    dockerfile = sandbox.directory / "Dockerfile"
    before = dockerfile.read_text()
    lines = [line for line in before.splitlines() if not line.startswith("CMD ")]
    lines.append(
        'CMD ["python", "-c", "raise SystemExit(\'the canary sings: no database today\')"]'
    )
    dockerfile.write_text("\n".join(lines) + "\n")
    yield dockerfile
    dockerfile.write_text(before)


def test_a_person_is_registered_through_the_load_balancer(sandbox: Sandbox) -> None:
    person = _person()
    status, answer = _register(sandbox, person)
    assert (status, answer["message"]) == (201, "User created")
    again, replay = _register(sandbox, person)
    assert (again, replay["id"]) == (200, answer["id"])
    conflict, error = _register(sandbox, {**person, "name": "Somebody Else"})
    assert conflict == 409
    assert "Ada" not in json.dumps(error)


def test_deploying_the_same_again_changes_nothing(sandbox: Sandbox) -> None:
    before = sandbox.json("taskdef", "list")
    said = sandbox.run("deploy", "--tag", "1.0")
    assert "nothing to do" in (said.out + said.err)
    assert sandbox.json("taskdef", "list") == before


def test_pushing_the_same_again_builds_nothing(sandbox: Sandbox) -> None:
    said = sandbox.run("push", "--tag", "1.0")
    assert "nothing to do" in (said.out + said.err)
    assert "build" not in said.err.split("nothing to do")[0]


def test_other_content_under_a_tag_is_refused_before_it_is_built(sandbox: Sandbox) -> None:
    marker = sandbox.directory / "service" / "templates" / "note.txt"
    marker.write_text("other content\n")
    try:
        said = sandbox.run("push", "--tag", "1.0", code=1)
    finally:
        marker.unlink()
    assert "1.0" in said.err
    assert "hint:" in said.err


def test_setting_equal_values_again_writes_nothing(sandbox: Sandbox) -> None:
    before = sandbox.json("params", "list")
    sandbox.run("params", "set", "--from-file", ".schoolctl/sandbox.env")
    assert sandbox.json("params", "list") == before


def test_a_crashing_image_is_rolled_back_and_explained(sandbox: Sandbox, crashing: Path) -> None:
    del crashing
    running = sandbox.json("status")["revision"]
    sandbox.run("push", "--tag", "1.1-crash")
    failures: list[tuple[int, str]] = []
    stop = threading.Event()

    def watch() -> None:
        # The emulator's load balancer forwards to a task before it listens: 502 is not the old
        # version's answer. Anything else but 200 would be.
        while not stop.is_set():
            status, text = _ask(sandbox, "GET", "/healthz")
            if status != 200 and not (status == 502 and "connect error" in text):
                failures.append((status, text))
            stop.wait(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        said = sandbox.run("deploy", "--tag", "1.1-crash", "--json", code=3)
    finally:
        stop.set()
        watcher.join()
    assert failures == []
    document = said.document
    text = said.err
    assert document["verdict"] == "rolled back"
    assert str(running) in text
    assert f"schoolapp-backend:{document['revision'].rpartition(':')[2]}" in text
    assert "exit code 1" in text
    assert "the canary sings: no database today" in text
    assert sandbox.json("status")["revision"] == running


def test_a_second_version_is_deployed_and_rolled_back(sandbox: Sandbox) -> None:
    first = sandbox.json("status")["revision"]
    marker = sandbox.directory / "service" / "templates" / "second.txt"
    marker.write_text("the second version\n")
    try:
        sandbox.run("push", "--tag", "2.0")
    finally:
        marker.unlink()
    sandbox.run("deploy", "--tag", "2.0")
    second = sandbox.json("status")["revision"]
    assert second != first
    said = sandbox.run("rollback")
    assert first in (said.out + said.err)
    assert sandbox.json("status")["revision"] == first


def test_the_network_is_as_documented(sandbox: Sandbox) -> None:
    assert sandbox.json("network", "check")["findings"] == []


def test_pruning_keeps_what_runs(sandbox: Sandbox) -> None:
    running = sandbox.json("status")["digest"]
    sandbox.run("images", "prune", "--keep", "1", "--older-than", "0d", "--yes")
    digests = [image["digest"] for image in sandbox.json("images", "list")["images"]]
    assert running in digests


def test_a_one_off_task_gives_its_log_and_its_exit_code(sandbox: Sandbox) -> None:
    said = sandbox.run("run", "--", "python", "-c", "print('hello'); raise SystemExit(7)", code=7)
    assert "hello" in said.out


def test_logs_show_the_requests(sandbox: Sandbox) -> None:
    _register(sandbox, _person())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if "/api/register" in sandbox.run("logs", "--since", "5m").out:
            return
        time.sleep(0.5)
    pytest.fail("the request never came up in the log")


def test_the_password_is_nowhere_to_be_seen(sandbox: Sandbox) -> None:
    lines = (sandbox.directory / ".schoolctl" / "sandbox.env").read_text().splitlines()
    password = next(
        line.partition("=")[2].strip("'\"") for line in lines if line.startswith("db_password=")
    )
    assert len(password) >= 16
    for args in (
        ("params", "set", "--from-file", ".schoolctl/sandbox.env", "-vv"),
        ("params", "list", "-vv"),
        ("secrets", "list", "-vv", "--json"),
        ("taskdef", "render", "--tag", "1.0", "-vv"),
        ("deploy", "--tag", "1.0", "--force", "--dry-run", "-vv"),
        ("status", "--json", "-vv"),
        ("logs", "--since", "1h", "-vv"),
        ("config", "show", "--json"),
    ):
        said = sandbox.run(*args)
        assert password not in said.out + said.err, args
