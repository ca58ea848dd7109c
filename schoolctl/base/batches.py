"""Cutting what is to be asked into as much as one call takes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of at most `size`, in the order of `items`; nothing gives no list."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
