"""The workflow of `init --ci github`: its steps, run to the letter as a runner of GitHub's does."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.e2e.conftest import Sandbox

GOOD, BAD = "1f6c0de5" * 5, "2badc0de" * 5


@dataclass(frozen=True)
class Job:
    """How a job ended: the exit code of the step that failed first, else 0."""

    code: int
    summary: str
    ran: tuple[str, ...]


def run_job(sandbox: Sandbox, workflow: dict[str, Any], commit: str, folder: Path) -> Job:
    """Run the `run:` steps of the workflow; after one that failed, those of `always()` alone."""
    temp, summary = folder / "temp", folder / "summary.md"
    temp.mkdir(parents=True)
    summary.touch()
    environ = {
        **sandbox.environ,
        # setup-python puts its python first; the only index has the wheel under test.
        "PATH": f"{sandbox.command.parent}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(sandbox.command.parents[2] / "wheels"),
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_SHA": commit,
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(temp),
    }
    environ.pop("SCHOOLCTL_ENV")
    defaults = workflow["defaults"]["run"]
    assert defaults["shell"] == "bash"
    code, ran = 0, []
    for step in workflow["jobs"]["deploy"]["steps"]:
        if "run" not in step or (code and step.get("if") != "always()"):
            continue
        script = temp / "step.sh"
        script.write_text(step["run"])
        # The command line of `shell: bash`, from GitHub's "Workflow syntax".
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=sandbox.directory / defaults["working-directory"],
            env=environ,
            check=False,
            timeout=250,
        )
        ran.append(step["name"])
        code = code or done.returncode
    return Job(code, summary.read_text(), tuple(ran))


def test_the_workflow_deploys_and_its_summary_tells_what_became_of_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    written = sandbox.json("init", "--ci", "github")
    workflow = yaml.safe_load(Path(written["written"][0]).read_text())
    before = sandbox.json("status")["revision"]
    note = sandbox.directory / "service" / "templates" / "note.txt"
    dockerfile = sandbox.directory / "Dockerfile"
    working = dockerfile.read_text()
    try:
        note.write_text("another version\n")
        good = run_job(sandbox, workflow, GOOD, tmp_path / "good")
        runs = sandbox.json("status")["revision"]
        dockerfile.write_text(
            working + '\nCMD ["python", "-c", "raise SystemExit(\'no database today\')"]\n'
        )
        bad = run_job(sandbox, workflow, BAD, tmp_path / "bad")
    finally:
        dockerfile.write_text(working)
        note.unlink()
        shutil.rmtree(sandbox.directory / ".github")

    steps = ("Install schoolctl", "Build and push", "Deploy", "Summary")
    assert (good.code, good.ran) == (0, steps)
    assert runs != before
    lines = good.summary.splitlines()
    assert lines[0] == "## schoolapp-backend in sandbox: completed"
    assert f"- commit: `{GOOD}`" in lines
    assert f"- revision: `{runs}`" in lines
    assert f"- before: `{before}`" in lines
    assert "error" not in good.summary

    assert (bad.code, bad.ran) == (3, steps)
    assert sandbox.json("status")["revision"] == runs
    assert bad.summary.startswith("## schoolapp-backend in sandbox: rolled back\n")
    assert f"- commit: `{BAD}`" in bad.summary.splitlines()
    assert "\nerror: " in bad.summary
    assert "no database today" in bad.summary


def test_the_summary_tells_of_a_push_that_was_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    written = sandbox.json("init", "--ci", "github")
    workflow = yaml.safe_load(Path(written["written"][0]).read_text())
    key = sandbox.directory / "service" / "notes.txt"
    try:
        key.write_text("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIE" * 16 + "\n")
        job = run_job(sandbox, workflow, "3" * 40, tmp_path / "refused")
    finally:
        key.unlink()
        shutil.rmtree(sandbox.directory / ".github")

    assert (job.code != 0, job.ran) == (True, ("Install schoolctl", "Build and push", "Summary"))
    assert job.summary.startswith("## schoolapp-backend in sandbox: not started\n")
    assert "notes.txt" in job.summary
