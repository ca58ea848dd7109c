"""The command reference, made from the commands themselves: `python -m scripts.reference`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from schoolctl.app import COMMANDS, click_app, load_command
from schoolctl.base.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80

_MEANINGS = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.FAILED: "failed, or declined",
    ExitCode.USAGE: "wrong usage or configuration",
    ExitCode.ROLLOUT: "AWS was changed, and the rollout was not successful",
    ExitCode.BUSY: "busy: somebody holds the deploy lock, or another deployment is in progress",
    ExitCode.WRONG_TARGET: "wrong account or region, refused before any change",
    ExitCode.CREDENTIALS: "no usable credentials",
    ExitCode.TIMED_OUT: "timed out, AWS is still at work",
    ExitCode.DIFFERENCES: "differences were found, for commands that look for them",
    ExitCode.NEVER_RAN: "`run`: the container never ran (otherwise its own exit code)",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}


def help_pages() -> Iterator[tuple[str, str]]:
    """Give each command's path and help page at 80 columns, in the order of the root page."""
    root = click_app()
    yield "schoolctl", _page(root, "schoolctl", None)
    parent = _context(root, "schoolctl", None)
    for entry in COMMANDS:
        yield from _pages(load_command(entry.name), entry.name, parent)


def _pages(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    context = _context(command, name, parent)
    yield context.command_path, command.get_help(context).rstrip() + "\n"
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _pages(child, child_name, context)


def _page(command: Any, name: str, parent: Any) -> str:
    text: str = command.get_help(_context(command, name, parent))
    return text.rstrip() + "\n"


def _context(command: Any, name: str, parent: Any) -> Any:
    # The context class belongs to Typer's own click; `typer.Context` is it.
    return typer.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )


def reference() -> str:
    """Give docs/commands.md."""
    parts = [
        "# Commands\n",
        "Made by `make docs` from the help pages; do not edit.\n",
        "## Exit codes\n",
        "| code | meaning |\n| --- | --- |",
        *(f"| {int(code)} | {meaning} |" for code, meaning in _MEANINGS.items()),
        "",
    ]
    for path, page in help_pages():
        parts.append(f"## {path}\n\n```text\n{page}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(reference())
