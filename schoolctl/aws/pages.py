"""Reading page after page, the next one under way while one is worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schoolctl.aws.clients import Clients

T = TypeVar("T")


def read_ahead(clients: Clients, pages: Iterable[T]) -> Iterator[T]:
    """Give each page, and fetch the one after it meanwhile: a page's token is in the one before."""
    rest = iter(pages)
    waiting = clients.start(next, rest, None)
    while (page := waiting.result()) is not None:
        waiting = clients.start(next, rest, None)
        yield page
