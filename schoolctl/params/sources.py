"""Where values to set come from: words, a pipe, a file, questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import UsageError
from schoolctl.base.text import count
from schoolctl.model.secret_value import SecretValue
from schoolctl.params.rules import Kind, find_entry
from schoolctl.params.values import (
    check_value,
    decode,
    drop_newline,
    read_values_file,
    readable_by_others,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from schoolctl.core.run import Run
    from schoolctl.output.reporter import Reporter
    from schoolctl.params.rules import Entry

_ATTEMPTS = 3


def parse_words(
    words: Sequence[str], entries: Sequence[Entry]
) -> tuple[dict[Entry, SecretValue], list[Entry]]:
    """Read `KEY=VALUE` and `KEY` words.

    Args:
        words: the words of the command line.
        entries: what schoolctl.yaml declares.

    Returns:
        The values that were given, and the entries whose value is still wanted.

    Raises:
        UsageError: an unknown or repeated key, or a value that must not stand there.
    """
    given: dict[Entry, SecretValue] = {}
    wanted: list[Entry] = []
    for word in words:
        key, equals, text = word.partition("=")
        entry = find_entry(entries, key)
        if entry in given or entry in wanted:
            raise UsageError(f"{key} is given twice", hint="leave one of them out")
        if not equals:
            wanted.append(entry)
        elif entry.hidden:
            raise UsageError(
                f"the value of {key} must not stand on the command line",
                why="every user of this machine can read it there, and the shell's history keeps"
                " it; schoolctl.yaml does not declare it `hidden: false`",
                hint=_how(entry),
            )
        else:
            given[entry] = SecretValue(text)
    return given, wanted


def _how(entry: Entry) -> str:
    """Say how to give the value of `entry` without a terminal."""
    if entry.kind is Kind.SECRET:
        return f"`schoolctl secrets set {entry.key} --stdin` reads it from a pipe"
    if entry.hidden:
        return f"`schoolctl params set {entry.key} --stdin` reads it from a pipe"
    return f"`schoolctl params set {entry.key}=VALUE`"


def from_stdin(run: Run) -> SecretValue:
    """Read a value from standard input; one line break at its end is dropped."""
    text = decode(run.reporter.read_stdin(), "standard input")
    return SecretValue(drop_newline(text))


def from_file(run: Run, file: Path, entries: Sequence[Entry]) -> dict[Entry, SecretValue]:
    """Read the values of a file.

    Raises:
        UsageError: the file cannot be used, has keys that schoolctl.yaml does not declare, or has
            hidden values that other users can read. With nothing hidden in it, that is a warning.
    """
    found = {find_entry(entries, key): value for key, value in read_values_file(file).items()}
    if readable_by_others(file):
        told, cure = f"other users can read {file}", f"`chmod 600 {file}` changes that"
        hidden = [entry.key for entry in found if entry.hidden]
        if hidden:
            raise UsageError(
                told, why=f"it holds {', '.join(hidden)}; nothing was changed", hint=cure
            )
        run.reporter.warn(f"{told}; {cure}")
    return found


def from_questions(run: Run, wanted: Sequence[Entry], *, as_is: bool) -> dict[Entry, SecretValue]:
    """Ask for each value; what is typed for a hidden one is not shown.

    Raises:
        UsageError: there is no terminal; names every value that is missing.
    """
    if wanted and not run.reporter.interactive:
        raise UsageError(
            f"{count(len(wanted), 'value')} missing, and there is no terminal to ask on",
            why="\n".join(f"{entry.key} ({entry}): {_how(entry)}" for entry in wanted),
            hint="or give them all with --from-file FILE",
        )
    return {entry: _ask(run.reporter, entry, as_is=as_is) for entry in wanted}


def _ask(reporter: Reporter, entry: Entry, *, as_is: bool) -> SecretValue:
    about = f" ({entry.description})" if entry.description else ""
    question = f"{entry.key}{about}:"
    for _ in range(_ATTEMPTS):
        value = (
            reporter.ask_secret(question) if entry.hidden else SecretValue(reporter.ask(question))
        )
        problems = [each for each in check_value(entry, value) if not (as_is and each.doubtful)]
        if not problems:
            return value
        for problem in problems:
            meant = "; if it is meant, start again with --as-is" if problem.doubtful else ""
            reporter.warn(f"the value {problem.text}{meant}")
    raise UsageError(
        f"no usable value for {entry.key} in {_ATTEMPTS} attempts", why="nothing was changed"
    )
