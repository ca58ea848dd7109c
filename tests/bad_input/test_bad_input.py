"""Every bad input: the exit code, one clear message, in both forms of output, nothing changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bad_input import command_line, configuration, parameters, profiles
from tests.bad_input.case import USAGE
from tests.bad_input.scene import Scene
from tests.fake_engine import FakeEngine

if TYPE_CHECKING:
    from tests.bad_input.case import Case
    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults

TABLES = {
    "parameters": parameters.CASES,
    "profiles": profiles.CASES,
    "configuration": configuration.CASES,
    "command line": command_line.CASES,
}
CASES = {
    f"{table}: {name}": case for table, cases in TABLES.items() for name, case in cases.items()
}


@pytest.fixture
def scene(project: Project, aws: Aws, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Give a project with an empty account."""
    monkeypatch.chdir(project.directory)
    return Scene(project, aws, faults)


def refuse(scene: Scene, case: Case, *more: str) -> Result:
    """Run a case, and look at the exit code and at what a person reads."""
    services = {"engine": FakeEngine()} if case.engine else {}
    result = scene.project.invoke(*more, *case.argv, stdin=case.stdin, **services)
    lines = result.stderr.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]

    assert result.exit_code == case.code, result.output
    assert len(errors) == 1, result.output
    assert "Traceback" not in result.output
    told = "\n".join(lines[errors[0] :])
    assert [each for each in case.told if each not in told] == [], told
    # What happened is not enough: a reason or a cure comes with it.
    assert len(lines) > errors[0] + 1, told
    assert not case.hides or case.hides not in result.output
    return result


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_refused_in_so_many_words_and_changes_nothing(
    scene: Scene, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    scene.set_up(case, monkeypatch)
    before = scene.look()

    assert refuse(scene, case).stdout == "" or case.words == "profile show -e other"
    document = json.loads(refuse(scene, case, "--json").stdout)

    assert document["ok"] is False
    assert document["error"]["exit_code"] == case.code
    assert scene.writes() == []
    assert scene.look() == before
    if case.code == USAGE and not case.asks:
        assert set(scene.faults.calls) <= {"GetCallerIdentity"}


@pytest.mark.parametrize("name", parameters.REFUSED)
def test_what_aws_refuses_comes_with_its_cure(
    scene: Scene, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = parameters.REFUSED[name]
    scene.set_up(case, monkeypatch)

    refuse(scene, case)

    assert scene.writes() == ["PutParameter"]
