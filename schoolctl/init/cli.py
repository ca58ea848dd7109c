"""`init`: a commented schoolctl.yaml, the GitHub workflow, the stack."""

from __future__ import annotations

import re
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Final

import typer

from schoolctl import __version__
from schoolctl.base.errors import ConflictError, SchoolctlError, UsageError
from schoolctl.config.schema import render_template, write_commented, write_schema
from schoolctl.config.tree import InvalidConfigError
from schoolctl.core.options import Command
from schoolctl.core.run import Run
from schoolctl.init.adopt import adopt
from schoolctl.init.observe import observe_running
from schoolctl.init.workflow import Placed, missing_variables, render_workflow, workflow_branch

if TYPE_CHECKING:
    from pathlib import Path


_DEFAULT_REGION = "us-east-1"
_HEADER = """\
yaml-language-server: $schema=.schoolctl/schema.json

The service {service} as it was found.
`schoolctl diff` says what a deploy would change.
Keys that are left out have their defaults: `schoolctl config show` lists every value.

What stands under `overrides` is AWS's own shape, merged last; null removes a key. There,
{{image}} as a container's image is the one that is deployed, and {{keep}} is the value that the
running revision has: it stands for values that look like secrets."""

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@app.command("init", cls=Command)
def init(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option("--app", metavar="NAME", help="Name of the app, else that of the folder."),
    ] = None,
    stack: Annotated[
        bool,
        typer.Option("--stack", help="Have `infra up` lay the infrastructure."),
    ] = False,
    from_service: Annotated[
        str | None,
        typer.Option(
            "--from-service",
            metavar="CLUSTER/SERVICE",
            help="Describe a service that runs, so that a deploy changes nothing.",
        ),
    ] = None,
    ci: Annotated[
        Ci | None,
        typer.Option("--ci", help="Write the workflow that deploys what schoolctl.yaml describes."),
    ] = None,
) -> None:
    """Write a commented schoolctl.yaml.

    One that is there is left as it is. --region and --profile are written to the environment dev,
    or to the one that --env names. With --from-service, what the file's own keys cannot say stands
    in `overrides`, and values that look like secrets stay out of it.

    --ci goes with a schoolctl.yaml that is there: it writes .github/workflows/deploy.yml, which
    pushes and deploys to the environment and tells the verdict on the run's page.
    """
    run = Run.of(context)
    if ci is not None:
        if stack or name is not None or from_service is not None:
            raise UsageError(
                "--ci goes with none of --app, --stack and --from-service",
                why="the workflow is made of a schoolctl.yaml that has your names in it",
                hint="write that first, then `schoolctl init --ci github`",
            )
        init_ci(run)
        return
    path = run.services.directory / (run.options.config or "schoolctl.yaml")
    if from_service is not None:
        if stack:
            raise UsageError(
                "--stack does not go with --from-service",
                why="a service that runs stands in an infrastructure already",
                hint="leave one of them out",
            )
        _init_from_service(run, path, from_service, name)
        return
    chosen = name if name is not None else _app_name(path.parent)
    text = render_template(path, chosen, region=_region(run), profile=run.options.profile)
    if stack:
        text = with_stack(text)
    written = _write(path, text)
    run.reporter.result(
        {"app": chosen, "file": str(path), "written": [str(each) for each in written]},
        [
            *(f"wrote {each}" for each in written),
            *(NEXT_STEPS if stack else _next_steps(chosen)),
            "or try all of it on a local AWS first: schoolctl sandbox up",
        ],
    )


def _next_steps(app: str) -> tuple[str, ...]:
    return (
        f"the app is called {app}; its names are guesses, put yours in their place",
        "next:",
        "  schoolctl config check",
        "  schoolctl push --tag 1.0 --create-repo",
        "  schoolctl params set",
        "  schoolctl deploy --tag 1.0",
    )


def _init_from_service(run: Run, path: Path, which: str, app: str | None) -> None:
    cluster, slash, service = which.partition("/")
    if not (cluster and slash and service) or "/" in service:
        raise UsageError(
            f"{which!r} names no service",
            why="a service goes by its cluster and its own name",
            hint="such as `schoolctl init --from-service school/backend`",
        )
    if path.exists():
        raise _is_there(path)
    clients = run.clients_for(run.connect(None))
    try:
        found = observe_running(clients, cluster, service, run.reporter.warn)
    finally:
        clients.close()
    try:
        made = adopt(found, app=app, environment=run.options.env)
    except InvalidConfigError as error:
        raise UsageError(
            f"no {path.name} can be made of {which}",
            why="\n".join(f"{each.path}: {each.message}" for each in error.problems),
            hint="give another --app or --env, if they are what is wrong",
        ) from None
    if run.options.profile is not None:
        made.tree["environments"][made.environment]["profile"] = run.options.profile
    written = _write(path, write_commented(made.tree, _HEADER.format(service=which)))
    for warning in made.warnings:
        run.reporter.warn(warning)
    chosen = made.tree["app"]
    run.reporter.result(
        {
            "app": chosen,
            "environment": made.environment,
            "file": str(path),
            "written": [str(each) for each in written],
            "warnings": list(made.warnings),
        },
        [
            *(f"wrote {each}" for each in written),
            f"the app is called {chosen}, its environment {made.environment}",
            f"next: `schoolctl diff{made.choice}` should find nothing",
            "that is the image that runs; without one, `diff` and `deploy` take the newest",
        ],
    )


def _is_there(path: Path) -> ConflictError:
    return ConflictError(
        f"{path} is there already; it is left as it is",
        hint="`schoolctl config check` looks at it; to begin anew, move it away first",
    )


def _app_name(directory: Path) -> str:
    """Make a name of the folder's: letters, digits and hyphens, beginning with a letter."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", directory.resolve().name).strip("-").lower()
    if not re.match(r"[a-z]", name):
        raise UsageError(
            f"the folder's name {directory.resolve().name!r} makes no app name",
            why="an app name begins with a letter",
            hint="give one: `schoolctl init --app NAME`",
        )
    return name


def _region(run: Run) -> str:
    environ = run.services.environ
    given = run.options.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return given or _DEFAULT_REGION


def _write(path: Path, text: str) -> list[Path]:
    """Write the file, the schema for editors, and what keeps `.schoolctl` out of git."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise SchoolctlError(
            f"cannot write {path}", why=error.strerror or str(error), hint="run it elsewhere"
        ) from None
    written = [path, write_schema(path.parent)]
    ignore = path.parent / ".gitignore"
    if ignore.exists() and _add_ignored(ignore):
        written.append(ignore)
    return written


def _add_ignored(ignore: Path) -> bool:
    """Add `.schoolctl/` to a .gitignore that does not have it; tell whether it was added."""
    content = ignore.read_bytes()
    if any(line.strip().strip(b"/") == b".schoolctl" for line in content.splitlines()):
        return False
    separator = b"" if not content or content.endswith(b"\n") else b"\n"
    with ignore.open("ab") as stream:
        stream.write(separator + b".schoolctl/\n")
    return True


_WORKFLOW: Final = ".github/workflows/deploy.yml"


class Ci(StrEnum):
    """Where pipelines run."""

    GITHUB = "github"


def init_ci(run: Run) -> None:
    """Write the workflow of the chosen environment, where GitHub looks for it."""
    config, file = run.config, run.config_file.path.resolve()
    root = _repository_root(file.parent)
    placed = Placed(file.parent.relative_to(root).as_posix(), file.name, __version__)
    template = files("schoolctl").joinpath("templates/deploy.yml").read_text("utf-8")
    path = root / _WORKFLOW
    _write_workflow(path, render_workflow(template, config, placed))
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


def _write_workflow(path: Path, text: str) -> None:
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


_NAMED_BY_STACK: Final = frozenset(
    {
        *("execution_role", "task_role", "log_group", "cluster", "subnets", "security_groups"),
        *("target_group", "alb_group", "service_group", "database_group"),
    }
)
NEXT_STEPS: Final = (
    "next:",
    "  schoolctl infra plan",
    "  schoolctl infra up",
    "  schoolctl push --tag 1.0",
    "  schoolctl params set",
    "  schoolctl deploy --tag 1.0",
)


def with_stack(text: str) -> str:
    """Give the commented file with the stack turned on, and without the names of what it makes."""
    kept: list[str] = []
    for line in text.splitlines():
        if line.strip().partition(":")[0] not in _NAMED_BY_STACK:
            kept.append(line)
            continue
        # The comment above a name goes with it; one above several is gone by the second.
        while kept and kept[-1].startswith("  #"):
            kept.pop()
    text = "\n".join(kept) + "\n"
    text = text.replace("  stack: false\n", "  stack: true\n", 1)
    text = re.sub(r"# Security groups, from [^\n]*\nnetwork:\n\n", "", text)
    text = re.sub(r"# The infrastructure, if .*?\ninfra:\n", _ABOVE, text, flags=re.DOTALL)
    # Of one family, the environments of an account would go back to each other's revisions.
    text = text.replace("service:\n", "service:\n  # Name of the ECS service.\n", 1)
    return re.sub(
        r"^  family: (.+)$", r'  family: "\1-{environment}"', text, count=1, flags=re.MULTILINE
    )


_ABOVE: Final = """\
# The infrastructure, which `schoolctl infra up` lays: load balancer, cluster, roles, log group and
# security groups, each with the environment in its name.
infra:
"""
