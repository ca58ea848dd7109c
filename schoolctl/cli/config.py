"""The configuration: show, check, schema."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.options import Command
from schoolctl.cli.run import Run
from schoolctl.text import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.config import Problem, ResolvedConfig
    from schoolctl.plan.connections import Budget

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show and check the configuration."
)


@app.command("show", cls=Command)
def show(context: typer.Context) -> None:
    """Show every value, and the file and line it comes from.

    Credentials are masked, and so are variables whose names say that they are secret.
    """
    from schoolctl.config import dump_values, list_values

    run = Run.of(context)
    resolved = run.resolved
    environment = resolved.config.environment
    run.reporter.note(f"environment {environment} of {resolved.file.path}")
    run.reporter.table(
        {
            "environment": environment,
            "file": str(resolved.file.path),
            "values": dump_values(resolved.config),
            "origins": {path: str(origin) for path, origin in resolved.origins.items()},
        },
        ("KEY", "FROM", "VALUE"),
        _rows(resolved, list_values(resolved.config)),
    )


@app.command("check", cls=Command)
def check(context: typer.Context) -> None:
    """Check all environments, and name all problems at once.

    This machine's .schoolctl/<environment>.yaml files are checked, too. Where the tasks' pools and
    the database's max_connections are known, the connections are counted.
    """
    from schoolctl.config import InvalidConfigError, load_config_file
    from schoolctl.plan.connections import budget_of, unchecked

    run = Run.of(context)
    file = load_config_file(run.options.config, cwd=run.services.directory, overlays=True)
    environments = file.all()
    budgets = {name: budget_of(each.config) for name, each in environments.items()}
    problems = list(_over_budget(environments, budgets))
    if problems:
        raise InvalidConfigError(problems)
    names = file.environment_names
    listed = ", ".join(names)
    counted = {name: each for name, each in budgets.items() if each is not None}
    run.reporter.result(
        {
            "file": str(file.path),
            "environments": list(names),
            "problems": [],
            "connections": {name: each.document() for name, each in counted.items()},
        },
        [
            f"{file.path.name}: no problems in {count(len(names), 'environment')}: {listed}",
            *(f"{name}: {each.describe()}" for name, each in counted.items()),
        ],
    )
    for name, each in environments.items():
        why = unchecked(each.config)
        if why:
            run.reporter.note(f"{name}: database connections are not counted: {why}")


@app.command("schema", cls=Command)
def schema(
    context: typer.Context,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write it to .schoolctl/schema.json, beside schoolctl.yaml."),
    ] = False,
) -> None:
    """Print the JSON Schema of schoolctl.yaml, for editors.

    The first line that `schoolctl init` writes names .schoolctl/schema.json, where --write puts
    it: an editor with a YAML language server then completes and explains the keys.
    """
    from schoolctl.config import find_config_file, json_schema, write_schema

    run = Run.of(context)
    if not write:
        document = json_schema()
        run.reporter.result({"schema": document}, [json.dumps(document, indent=2)])
        return
    file = find_config_file(run.options.config, cwd=run.services.directory)
    path = write_schema(file.parent)
    run.reporter.result({"file": str(path)}, [f"wrote {path}"])


def _over_budget(
    environments: Mapping[str, ResolvedConfig], budgets: Mapping[str, Budget | None]
) -> Iterator[Problem]:
    """Give the environments whose tasks may open more connections than there are.

    What several have from the same line is one problem, which names them unless it is all.
    """
    from schoolctl.config import Layer

    found: dict[Problem, list[str]] = defaultdict(list)
    for name, budget in budgets.items():
        if budget is not None and not budget.fits:
            found[environments[name].problem(budget.paths, budget.problem())].append(name)
    for problem, names in found.items():
        one_of_several = len(names) < len(environments) and problem.origin.layer is Layer.BASE
        where = f" (in {' and '.join(names)})" if one_of_several else ""
        yield replace(problem, message=problem.message + where)


def _rows(resolved: ResolvedConfig, values: dict[str, object]) -> list[tuple[str, str, str]]:
    # The value stands last: a long one, such as a certificate, would else push the rest aside.
    return [(path, str(resolved.origins[path]), _shown(value)) for path, value in values.items()]


def _shown(value: object) -> str:
    """Write a value on one line: text as it is, `-` for nothing, else JSON."""
    if value is None:
        return "-"
    if isinstance(value, str) and value and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False)
