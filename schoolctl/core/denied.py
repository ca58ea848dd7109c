"""What AWS denied in a run: each is told, with the command that prints a policy that allows it.

A read that a command can do without is a warning about what was not verified, wherever the
command left it out; what it cannot do without is in its error.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.base.errors import SchoolctlError
    from schoolctl.core.run import Run
    from schoolctl.iam.permission import Permissions


def with_policies(run: Run, text: str) -> str:
    """Give a warning with the commands that print a policy for the denied actions in it."""
    advice = "; ".join(dict.fromkeys(_advice(run, text)))
    return f"{text}; {advice}" if advice else text


def add_policies(run: Run, error: SchoolctlError) -> None:
    """Add to an error's hint the commands that print a policy for the denied actions in it."""
    lines = [line for line in dict.fromkeys(_advice(run, _text(error))) if line not in error.hint]
    if lines and error.done and "run it again" not in error.hint:
        lines[-1] += "; then run it again: what is done is not done twice"
    error.hint = "\n".join(filter(None, (error.hint, *lines)))


def tell_denied(run: Run, error: SchoolctlError | None = None) -> None:
    """Warn of each denied action that nothing has told of.

    Args:
        run: the run, at its end.
        error: how it ends; what it could not do without is in that, or does not matter any more.
    """
    told = [*run.reporter.warned, *([_text(error)] if error is not None else [])]
    for denials, _, command in tuple(run.denied):
        if not denials.by_policy:
            continue
        spared = {each.action: each.without for each in _permissions(command or run.command)}
        for action in sorted(denials.by_policy):
            without = spared.get(action, "")
            if any(_names(each, action) for each in told) or (error is not None and not without):
                continue
            run.reporter.warn(f"{without or 'something was left out'}: {action} is denied")


def _text(error: SchoolctlError) -> str:
    return "\n".join((error.what, error.why, error.hint, *error.details))


def _advice(run: Run, text: str) -> Iterator[str]:
    for denials, environment, command in tuple(run.denied):
        whose = command or run.command
        in_policy = {each.action for each in _permissions(whose)} if denials.by_policy else ()
        for action, cured in sorted(denials.by_policy.items()):
            if cured and action in in_policy and _names(text, action):
                place = f"-e {environment} " if environment is not None else ""
                named = f"schoolctl {place}iam policy --for {shlex.quote(whose)}"
                yield f"`{named}` prints a policy that allows it"
                break


def _names(text: str, action: str) -> bool:
    """Say whether a text names an action, and not only a longer one that begins so."""
    return re.search(rf"{re.escape(action)}(?![A-Za-z])", text) is not None


def _permissions(command: str) -> Permissions:
    from schoolctl.iam.permissions import permissions_of

    try:
        return permissions_of(command)
    except KeyError:
        return ()
