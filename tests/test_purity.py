"""What may be imported where: the core alone, and a root command that starts fast."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import schoolctl

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(schoolctl.__file__).parent
PURE = [
    ".".join(("schoolctl", *file.relative_to(PACKAGE).with_suffix("").parts))
    for name in ("rules", "steps", "view")
    for file in sorted(PACKAGE.rglob(f"{name}.py"))
]
CORE = ["schoolctl.model", "schoolctl.base.errors", "schoolctl.base.text", *PURE]
OUTSIDE = ("boto3", "botocore", "docker", "typer", "click", "rich", "requests", "urllib3", "http")
HEAVY = ("boto3", "botocore", "docker", "yaml", "rich", "requests", "urllib3")


def loaded_after(statement: str) -> set[str]:
    """Run a statement in a fresh interpreter and give the top-level modules it has loaded."""
    program = (
        "import sys\n"
        f"{statement}\n"
        "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines())


def test_the_core_imports_nothing_that_reaches_outside() -> None:
    # All in one interpreter, for speed; `-X importtime` tells which of them it was.
    assert loaded_after(f"import {', '.join(CORE)}") & set(OUTSIDE) == set()


def running(words: list[str]) -> str:
    return (
        "import io, contextlib\n"
        "from schoolctl.app import click_app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):"
        "\n    try:\n"
        f"        click_app().main({words!r}, prog_name='schoolctl')\n"
        "    except SystemExit:\n        pass"
    )


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"]], ids=" ".join)
def test_the_root_page_loads_no_library_but_typer(words: list[str]) -> None:
    assert loaded_after(running(words)) & {*HEAVY, "pydantic"} == set()


def test_the_probe_sees_what_is_loaded() -> None:
    assert "yaml" in loaded_after("import yaml")


def imported_late(node: ast.AST) -> Iterator[ast.ImportFrom]:
    """Give the imports of our own names, but those that only a type checker carries out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("schoolctl"):
            yield child
        yield from imported_late(child)


def test_every_name_that_a_function_imports_is_there() -> None:
    # A name that is there for a type checker alone passes mypy, and fails when the command runs.
    missing = [
        f"{file.relative_to(PACKAGE)}:{found.lineno}: {found.module}.{each.name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for found in imported_late(ast.parse(file.read_text(encoding="utf-8")))
        for each in found.names
        if not is_there(str(found.module), each.name)
    ]
    assert missing == []


def is_there(module: str, name: str) -> bool:
    """Say whether a module has a name, or a module of that name in it."""
    found = importlib.import_module(module)
    inside = hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}")
    return hasattr(found, name) or bool(inside)
