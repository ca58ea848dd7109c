"""`network` on a terminal: the question before a rule goes, and a narrow window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.terminal import Terminal
from tests.worlds.laid import ANYWHERE

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.worlds.laid import Network


@pytest.mark.parametrize(("answer", "code", "gone"), [("y", 0, True), ("", 1, False)])
def test_fix_shows_each_rule_and_asks(
    project: Project, network: Network, answer: str, code: int, *, gone: bool
) -> None:
    documented = network.rules()
    network.allow(network.database, 3306, ANYWHERE)
    terminal = Terminal(["network", "apply", "--fix"], project.directory)
    terminal.expect("1. remove tcp 3306 from anywhere (0.0.0.0/0) from sg-")
    terminal.expect("lay the network of schoolapp in dev: 1 rule removed. Go on? [y/N]")
    terminal.type(answer)
    assert terminal.finish() == code, terminal.shown
    assert (network.rules() == documented) == gone


def test_a_narrow_terminal_is_not_too_narrow(
    project: Project, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    network.allow(network.database, (3000, 4000), "10.0.0.0/8")
    terminal = Terminal(["network", "check"], project.directory)
    terminal.expect("1 difference")
    terminal.finish()
    lines = terminal.shown.splitlines()
    start = lines.index("internet")
    drawing = lines[start : lines.index("", start)]
    assert max(map(len, drawing)) <= 40
    assert "EXTRA     tcp 3000-4000 from" in terminal.shown
