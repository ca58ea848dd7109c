"""`init --ci`: the workflow that deploys an environment, beside the configuration."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from schoolctl.base.errors import ConflictError, SchoolctlError

if TYPE_CHECKING:
    from pathlib import Path

    from schoolctl.core.run import Run

_WORKFLOW: Final = ".github/workflows/deploy.yml"


class Ci(StrEnum):
    """Where pipelines run."""

    GITHUB = "github"


def init_ci(run: Run) -> None:
    """Write the workflow of the chosen environment, where GitHub looks for it."""
    from schoolctl import __version__
    from schoolctl.init.workflow import Placed, missing_variables, render_workflow, workflow_branch

    config, file = run.config, run.config_file.path.resolve()
    root = _repository_root(file.parent)
    placed = Placed(file.parent.relative_to(root).as_posix(), file.name, __version__)
    template = files("schoolctl").joinpath("templates/deploy.yml").read_text("utf-8")
    path = root / _WORKFLOW
    _write(path, render_workflow(template, config, placed))
    if config.endpoint_url is not None:
        run.reporter.warn(
            f"environment {config.environment} is at {config.endpoint_url}:"
            " machines of GitHub have to reach it there"
        )
    branch, missing = workflow_branch(config), missing_variables(config)
    run.reporter.result(
        {
            "environment": config.environment,
            "branch": branch,
            "variables": list(missing),
            "written": [str(path)],
        },
        [
            f"wrote {path}",
            f"a push to {branch} deploys to {config.environment}",
            *(f"set the variable {name} of the repository on GitHub" for name in missing),
        ],
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConflictError(
            f"{path} is there already; it is left as it is",
            hint="move it away first; under another name, each environment may have its own",
        ) from None
    except OSError as error:
        raise SchoolctlError(
            f"cannot write {path}", why=error.strerror or str(error), hint="run it elsewhere"
        ) from None


def _repository_root(directory: Path) -> Path:
    """Give the git repository's folder; without one, the configuration's own."""
    resolved = directory.resolve()
    folders = (resolved, *resolved.parents)
    return next((each for each in folders if (each / ".git").exists()), resolved)
