"""Requirements of Python packages: what is wanted, what is pinned, and whether that agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse(text: str) -> Requirement | None:
    """Read one requirement; None for what is none (a path, an option, a broken line)."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def name_of(requirement: Requirement) -> str:
    """Give a requirement's name in the one spelling that counts."""
    return str(canonicalize_name(requirement.name))


def normal(name: str) -> str:
    """Give a package's name in the one spelling that counts."""
    return str(canonicalize_name(name))


def fits(versions: Iterable[str], wanted: str | SpecifierSet) -> bool:
    """Say whether one of the versions fits; a version or wish that cannot be read does."""
    try:
        specifiers = wanted if isinstance(wanted, SpecifierSet) else SpecifierSet(wanted)
        return any(specifiers.contains(Version(each), prereleases=True) for each in versions)
    except (InvalidVersion, InvalidSpecifier):
        return True


def same_specifiers(left: str, right: str) -> bool:
    """Say whether two wishes are the same, however they are written; unreadable ones are."""
    try:
        return SpecifierSet(left) == SpecifierSet(right)
    except InvalidSpecifier:
        return True


def table(content: object, *keys: str) -> dict[str, Any]:
    """Give a table inside of a parsed TOML file; an empty one where there is none."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}
