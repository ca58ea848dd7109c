"""What is missing, and what could not be seen: collected, so that the user reads it all at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from schoolctl.base.errors import AccessDeniedError, MissingThingsError
from schoolctl.base.text import count


@dataclass(frozen=True)
class Denied:
    """AWS refused to tell; it is not an error until the answer is needed."""

    error: AccessDeniedError


@dataclass
class Gaps:
    """What is missing, each with the command that makes it, and what could not be verified."""

    environment_option: str = ""
    """What a command needs to work on this environment, such as ` -e prod`."""
    missing: list[str] = field(default_factory=list)
    cures: list[tuple[str, str]] = field(default_factory=list)
    """Each thing that is missing and what makes it, apart."""
    warnings: list[str] = field(default_factory=list)
    _unverified: dict[str, list[str]] = field(default_factory=dict)

    def lacks(self, what: str, cure: str) -> None:
        """Note that `what` is missing."""
        self.missing.append(f"{what}: {cure}")
        self.cures.append((what, cure))

    def lacks_for(self, what: str, command: str) -> None:
        """Note that `what` is missing and that one of our own commands makes it."""
        self.lacks(what, f"`schoolctl {command}{self.environment_option}`")

    def unverified(self, what: str, denied: Denied) -> None:
        """Note that AWS refused a read that we can do without; one warning for each action."""
        action = denied.error.action or "the read"
        subjects = self._unverified.setdefault(action, [])
        before = _not_verified(subjects, action)
        subjects.append(what)
        self.warnings[:] = [each for each in self.warnings if each != before]
        self.warnings.append(_not_verified(subjects, action))

    def refuse(self, doing: str) -> None:
        """Raise if anything is missing. `doing` is what cannot be done: `deploy web`."""
        if self.missing:
            raise MissingThingsError(
                f"cannot {doing}: {count(len(self.missing), 'thing')} missing; nothing was changed",
                self.missing,
                hint="make what is missing, then run it again; `schoolctl doctor` looks further, at"
                " what the roles may, too",
            )


def _not_verified(subjects: list[str], action: str) -> str:
    verb = "was" if len(subjects) == 1 else "were"
    return f"{' and '.join(subjects)} {verb} not verified: {action} is denied"
