"""Actions that AWS denied in a run, and the command that prints a policy allowing them.

A read that a command can do without is a warning about what was not verified, wherever the
command left it out; what it cannot do without is in its error.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from schoolctl.aws.session.denials import Denials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.base.errors import SchoolctlError
    from schoolctl.output.reporter import Reporter


class Permission(Protocol):
    """An IAM action that a command needs."""

    @property
    def action(self) -> str:
        """The action, such as `ecr:PutImage`."""

    @property
    def without(self) -> str:
        """What is left out where the action is denied; empty where the command needs it."""


PermissionsOf = Callable[[str], Sequence[Permission]]
"""The permissions of a command, by its name; none where it has none."""


def no_permissions(command: str) -> Sequence[Permission]:
    """Return no permissions, for a run that is told of none."""
    del command
    return ()


class Denied:
    """The denials of one run.

    Attributes:
        command: the command that runs.
    """

    def __init__(self, permissions_of: PermissionsOf) -> None:
        self.command = ""
        self._permissions_of = permissions_of
        self._noted: list[tuple[Denials, str | None, str]] = []

    def note(self, environment: str | None = None, command: str = "") -> Denials:
        """Return what notes the actions that AWS denies, to be told at the end.

        Args:
            environment: where they are denied; None for the chosen one.
            command: whose policy allows them; empty for the command that runs.
        """
        denials = Denials()
        self._noted.append((denials, environment, command))
        return denials

    def with_policies(self, text: str) -> str:
        """Return a warning with the commands that print a policy for the denied actions in it."""
        advice = "; ".join(dict.fromkeys(self._advice(text)))
        return f"{text}; {advice}" if advice else text

    def add_policies(self, error: SchoolctlError) -> None:
        """Add to an error's hint the commands that print a policy for the denied actions in it."""
        advice = dict.fromkeys(self._advice(_text(error)))
        lines = [line for line in advice if line not in error.hint]
        if lines and error.done and "run it again" not in error.hint:
            lines[-1] += "; then run it again: what is done is not done twice"
        error.hint = "\n".join(filter(None, (error.hint, *lines)))

    def tell(self, reporter: Reporter, error: SchoolctlError | None = None) -> None:
        """Warn of each denied action that nothing has told of.

        Args:
            reporter: of the run, at its end.
            error: how it ends; what it could not do without is in that, or does not matter any
                more.
        """
        told = [*reporter.warned, *([_text(error)] if error is not None else [])]
        for denials, _, command in tuple(self._noted):
            if not denials.by_policy:
                continue
            permissions = self._permissions_of(command or self.command)
            spared = {each.action: each.without for each in permissions}
            for action in sorted(denials.by_policy):
                without = spared.get(action, "")
                if any(_names(each, action) for each in told) or (error and not without):
                    continue
                reporter.warn(f"{without or 'something was left out'}: {action} is denied")

    def _advice(self, text: str) -> Iterator[str]:
        for denials, environment, command in tuple(self._noted):
            whose = command or self.command
            permissions = self._permissions_of(whose) if denials.by_policy else ()
            in_policy = {each.action for each in permissions}
            for action, cured in sorted(denials.by_policy.items()):
                if cured and action in in_policy and _names(text, action):
                    place = f"-e {environment} " if environment is not None else ""
                    named = f"schoolctl {place}iam policy --for {shlex.quote(whose)}"
                    yield f"`{named}` prints a policy that allows it"
                    break


def _text(error: SchoolctlError) -> str:
    return "\n".join((error.what, error.why, error.hint, *error.details))


def _names(text: str, action: str) -> bool:
    """Return whether a text names an action, and not only a longer one that begins so."""
    return re.search(rf"{re.escape(action)}(?![A-Za-z])", text) is not None
