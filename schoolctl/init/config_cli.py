"""`config show`, `config check` and `config schema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.text import count
from schoolctl.config.file import find_config_file, load_config_file
from schoolctl.config.origins import dump_values, list_values
from schoolctl.config.schema import json_schema, write_schema
from schoolctl.core.options import Command
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from schoolctl.config.file import ResolvedConfig

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show and check the configuration."
)


@app.command("show", cls=Command)
def show(context: typer.Context) -> None:
    """Show every value, and the file and line it comes from.

    Credentials are masked, and so are variables whose names say that they are secret.
    """
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

    This machine's .schoolctl/<environment>.yaml files are checked, too.
    """
    run = Run.of(context)
    file = load_config_file(run.options.config, cwd=run.services.directory, overlays=True)
    names = file.environment_names
    listed = ", ".join(names)
    run.reporter.result(
        {"file": str(file.path), "environments": list(names), "problems": []},
        [f"{file.path.name}: no problems in {count(len(names), 'environment')}: {listed}"],
    )


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
    run = Run.of(context)
    if not write:
        document = json_schema()
        run.reporter.result({"schema": document}, [json.dumps(document, indent=2)])
        return
    file = find_config_file(run.options.config, cwd=run.services.directory)
    path = write_schema(file.parent)
    run.reporter.result({"file": str(path)}, [f"wrote {path}"])


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
