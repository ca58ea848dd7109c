"""`doctor` on a sandbox that is healthy, and broken in one way at a time; its cures are followed.

A cure's commands are run as they are printed, in a shell; where it is no command, the case says
what somebody does who reads it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import deployed_sandbox
from tests.e2e.doctor_bench import Bench
from tests.e2e.doctor_cases import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Iterator


def levels(found: dict[str, dict[str, Any]], *wanted: str) -> dict[str, str]:
    """Give what each check of certain levels says, for an assertion that tells what went wrong."""
    return {name: each["what"] for name, each in found.items() if each["level"] in wanted}


@pytest.fixture(scope="module")
def healthy(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A deployed sandbox, which every test leaves as healthy as it found it."""
    folder = tmp_path_factory.mktemp("doctor")
    tools = folder / "tools"
    tools.mkdir()
    program = tools / "aws"
    words = Path(__file__).with_name("aws_words.py")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
    program.chmod(0o755)
    with deployed_sandbox(installed, folder) as made:
        yield Bench(made, tools)


@pytest.fixture
def bench(healthy: Bench) -> Iterator[Bench]:
    yield healthy
    healthy.put_back()


def test_a_healthy_sandbox_is_all_ok(bench: Bench) -> None:
    found = bench.findings()
    assert levels(found, "WARN", "FAIL", "SKIP") == {}
    assert len(found) > 30


@pytest.mark.parametrize("name", CASES)
def test_one_broken_thing_is_one_line_that_fails_and_its_cure_repairs_it(
    bench: Bench, name: str
) -> None:
    case = CASES[name]
    case.breaks(bench)

    found = bench.findings()
    assert list(levels(found, "FAIL")) == [case.check], levels(found, "FAIL", "WARN")
    assert set(levels(found, "WARN")) == case.warns

    _cure(bench, found[case.check]["cure"], case)
    found = bench.findings()
    assert found[case.check]["level"] == "OK", found[case.check]
    if case.then:
        for check, commands in case.then.items():
            for begins in commands:
                bench.follow(found[check]["cure"], begins)
        found = bench.findings()
    unwell = levels(found, "FAIL", "WARN", "SKIP")
    assert set(unwell) == case.leaves, unwell


def test_after_all_cures_the_sandbox_is_as_healthy_as_before(bench: Bench) -> None:
    # What the cases wrote beside AWS, such as a cluster's other name, is put back by now.
    assert levels(bench.findings(), "WARN", "FAIL", "SKIP") == {}


def _cure(bench: Bench, cure: str, case: Case) -> None:
    for begins in case.commands:
        bench.follow(cure, begins, case.fills(bench) if case.fills is not None else None)
    if case.by_hand is not None:
        assert case.says in cure.replace(" -e sandbox", "")
        case.by_hand(bench)
