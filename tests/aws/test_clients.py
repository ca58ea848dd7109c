"""Clients: made once, and an endpoint that is none is the configuration's fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.base.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def _clients(profile: str | None = None) -> Clients:
    nowhere = Setting(None, "AWS")
    return Clients(Connection(Setting(profile, "--profile"), Setting("us-east-1", "x"), nowhere))


def test_a_client_is_made_once() -> None:
    clients = _clients()
    assert clients.ssm is clients.ssm
    assert clients.ecs is not clients.ecs_once


def test_an_endpoint_of_a_profile_that_is_no_url_is_told_without_its_text(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile odd]\nendpoint_url = user:hunter2@nowhere\n")
    with pytest.raises(UsageError) as caught:
        _ = _clients("odd").ssm
    assert "no URL" in caught.value.what
    assert "hunter2" not in f"{caught.value.what}{caught.value.why}{caught.value.hint}"
