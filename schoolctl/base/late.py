"""Packages whose parts are loaded when one of their names is first asked for.

Making a dataclass takes half a millisecond, and a package may name fifty that no command needs all.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def loader(package: str, parts: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Give the `__getattr__` of a package.

    Args:
        package: its name.
        parts: the names that each of its modules has.
    """
    homes = {name: part for part, names in parts.items() for name in names}

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return load
