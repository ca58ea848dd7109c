"""A service that is being used while it is deployed and rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.load import constant_load

if TYPE_CHECKING:
    from tests.e2e.conftest import Sandbox


@pytest.fixture(scope="module")
def second_version(sandbox: Sandbox) -> str:
    """Push a second version of the service; gives its tag."""
    marker = sandbox.directory / "service" / "templates" / "second.txt"
    marker.write_text("the second version\n")
    try:
        sandbox.run("push", "--tag", "load-2")
    finally:
        marker.unlink()
    return "load-2"


def _addresses(sandbox: Sandbox) -> set[str]:
    return {each["address"] for each in sandbox.json("status")["targets"]}


def test_no_request_is_lost_while_the_service_is_deployed_and_rolled_back(
    sandbox: Sandbox, second_version: str
) -> None:
    url = sandbox.json("sandbox", "status")["url"]
    first = sandbox.json("status")["revision"]
    for command in (("deploy", "--tag", second_version), ("rollback",)):
        before = sandbox.json("status")["revision"]
        old = _addresses(sandbox)
        assert len(old) == 2
        with constant_load(url) as load:
            sandbox.run(*command)
        assert sandbox.json("status")["revision"] != before
        assert load.requests > 50
        assert load.failures == []
        assert old.isdisjoint(load.refused_by), "a task that was being stopped got a request"
    assert sandbox.json("status")["revision"] == first
