"""Code lines of each subject and of the tests: without blank lines, comments and docstrings.

`make size` prints the table that docs/architecture.md holds.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
ROOTS = ("schoolctl", "service", "tests", "scripts", "benchmarks")


def code_lines(source: str) -> int:
    """Return how many lines of a module hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            for each in body if isinstance(body, list) else ():
                match each:
                    # A text that nothing is done with: a docstring, also of an attribute.
                    case ast.Expr(value=ast.Constant(value=str())):
                        lines.difference_update(range(each.lineno, (each.end_lineno or 0) + 1))
                    case _:
                        pass
    return len(lines)


def sizes(root: Path) -> dict[str, tuple[int, int]]:
    """Return modules and code lines, for each folder of `root` and for its own files (`.`)."""
    modules: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for file in sorted(root.rglob("*.py")):
        inside = file.relative_to(root).parts
        name = inside[0] if len(inside) > 1 else "."
        modules[name] += 1
        lines[name] += code_lines(file.read_text(encoding="utf-8"))
    return {name: (modules[name], lines[name]) for name in sorted(modules)}


def table() -> str:
    """Return the table as Markdown: the subjects of schoolctl/, then the other folders whole."""
    rows = ["| folder | modules | lines of code |", "| --- | ---: | ---: |"]
    for root in map(Path, ROOTS):
        found = sizes(root)
        if root.name == "schoolctl":
            rows += [f"| schoolctl/{name} | {a} | {b:,} |" for name, (a, b) in found.items()]
        modules, lines = (sum(column) for column in zip(*found.values(), strict=True))
        rows.append(f"| **{root}** | {modules} | {lines:,} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
