"""The rules of docs/architecture.md that import-linter cannot express."""

from __future__ import annotations

import ast
import importlib.util
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import schoolctl
from schoolctl.app import COMMANDS, HANDLERS

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(schoolctl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
PURE = [
    file
    for file in FILES
    if file.name in {"rules.py", "steps.py", "view.py"}
    or file.is_relative_to(PACKAGE / "model")
    or file.is_relative_to(PACKAGE / "ecs_service/steps")
]
CLOCKS = {"now", "today", "utcnow", "monotonic", "perf_counter", "time", "sleep"}
FILE_METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes"}
ROOT = PACKAGE / "app.py"


def name(file: Path) -> str:
    parts = ("schoolctl", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def calls_outside(file: Path) -> Iterator[str]:
    """Yield each call in a module that opens a file or reads a clock."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id="open"):
                yield f"{name(file)}:{node.lineno} open"
            case ast.Attribute(attr=method) if method in FILE_METHODS:
                yield f"{name(file)}:{node.lineno} {method}"
            case ast.Attribute(value=ast.Name(id="datetime" | "date" | "time"), attr=clock) if (
                clock in CLOCKS
            ):
                yield f"{name(file)}:{node.lineno} {clock}"


def test_pure_modules_open_no_file_and_read_no_clock() -> None:
    assert [call for file in PURE for call in calls_outside(file)] == []


def imported(file: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules of ours that a module imports, and whether a function imports them."""

    def walk(node: ast.AST, late: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.ImportFrom(module=str(module)) if module.startswith("schoolctl"):
                    for each in child.names:
                        inside = f"{module}.{each.name}"
                        yield inside if inside in NAMES else module, late
                case _:
                    yield from walk(child, late or isinstance(child, ast.FunctionDef))

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), late=False)


NAMES = {name(file) for file in FILES}
IMPORTS = {name(file): set(imported(file)) for file in FILES}


def test_no_module_imports_itself_through_others() -> None:
    # Imports for type checkers count, and so do those of functions.
    left = {module: {each for each, _ in found} - {module} for module, found in IMPORTS.items()}
    while free := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("module", ["schoolctl.app", "schoolctl.core.run"])
def test_what_every_command_loads_may_import_late(module: str) -> None:
    assert any(late for _, late in IMPORTS[module])


def test_elsewhere_an_import_stands_at_the_top() -> None:
    late = Counter(module for module, found in IMPORTS.items() for _, late in found if late)
    assert set(late) <= {
        "schoolctl.app",
        "schoolctl.core.options",
        "schoolctl.core.run",
        "schoolctl.docker.connect",
        "schoolctl.output.reporter",
    }


def test_a_folder_holds_no_more_than_fifteen_modules() -> None:
    held = Counter(file.parent.relative_to(PACKAGE) for file in FILES)
    assert {folder: count for folder, count in held.items() if count > 15} == {}


def test_packages_re_export_nothing() -> None:
    full = [
        name(file)
        for file in FILES
        if file.name == "__init__.py"
        and file.parent != PACKAGE
        and len(ast.parse(file.read_text(encoding="utf-8")).body) > 1
    ]
    assert full == []


def test_the_tables_of_the_root_command_name_modules_that_exist() -> None:
    named = {
        *(
            f"schoolctl.{place.partition(':')[0]}"
            for each in COMMANDS
            for place in (each.module, *each.more)
        ),
        *HANDLERS,
        *HANDLERS.values(),
    }
    assert {module for module in named if importlib.util.find_spec(module) is None} == set()


def test_every_module_of_steps_has_its_handler() -> None:
    with_steps = {name(file) for file in FILES if "(Step):" in file.read_text(encoding="utf-8")} - {
        "schoolctl.base.plan"
    }
    assert with_steps == set(HANDLERS)
