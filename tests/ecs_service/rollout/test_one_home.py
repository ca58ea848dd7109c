"""Verdicts on a rollout are constructed in one module only."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import schoolctl
from schoolctl.ecs_service.rollout import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(schoolctl.__file__).parent
HOME = Path("ecs_service/rollout/verdict.py")
VERDICTS = {each.__name__ for each in get_args(verdict.Verdict)}


def constructed(tree: ast.AST) -> Iterator[str]:
    """Yield each verdict that a module constructs, under whatever name it imports the class.

    Classes of the same name from another subject don't count. `module.Completed(...)` counts if
    the module's name ends in `verdict` or is an alias of one that does.
    """
    names: dict[str, str] = {}
    modules = {"verdict"}
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) if name in VERDICTS:
                names[name] = name
            case ast.ImportFrom(module=str(module)) if module.startswith("schoolctl.ecs_service"):
                bound = {each.asname or each.name: each.name for each in node.names}
                names |= {here: name for here, name in bound.items() if name in VERDICTS}
                modules |= {here for here, name in bound.items() if name == "verdict"}
            case ast.Import():
                modules |= {
                    each.asname for each in node.names if each.asname and "verdict" in each.name
                }
            case _:
                pass
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in names:
                yield names[name]
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in VERDICTS:
                if ast.unparse(value).rpartition(".")[2] in modules:
                    yield name
            case _:
                pass


def test_only_one_module_constructs_verdicts() -> None:
    found = {
        file.relative_to(PACKAGE): set(constructed(ast.parse(file.read_text(encoding="utf-8"))))
        for file in PACKAGE.rglob("*.py")
    }
    # All of them there: proof that the search finds what it is looking for.
    assert {path: names for path, names in found.items() if names} == {HOME: VERDICTS}
