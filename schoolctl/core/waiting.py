"""Repetition of calls until a change made a moment ago is visible or settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.session.errors import NotVisibleYetError
from schoolctl.base.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.core.executor import Tools

T = TypeVar("T")
_VISIBLE_WITHIN_SECONDS = 60.0
_SETTLES_WITHIN_SECONDS = 15.0
_PAUSE_SECONDS = 3.0


def until_visible(tools: Tools, call: Callable[[], T]) -> T:
    """Repeat a call for a minute while ECS does not see a role or a target group.

    Both take effect some seconds after they were created; after a minute they are truly wrong.
    """
    return _repeat(
        tools,
        call,
        _VISIBLE_WITHIN_SECONDS,
        begun="waiting up to a minute",
        given_up="it was tried again for a minute: this is no matter of time",
    )


def until_settled(tools: Tools, call: Callable[[], T]) -> T:
    """Repeat a call for some seconds while AWS is still busy with the one before it."""
    limit = duration(_SETTLES_WITHIN_SECONDS)
    return _repeat(
        tools,
        call,
        _SETTLES_WITHIN_SECONDS,
        begun=f"waiting up to {limit}",
        given_up=f"it was tried again for {limit}",
    )


def _repeat(
    tools: Tools, call: Callable[[], T], within_seconds: float, *, begun: str, given_up: str
) -> T:
    give_up_at = tools.clock.monotonic() + within_seconds
    told = False
    while True:
        try:
            return call()
        except NotVisibleYetError as error:
            if tools.clock.monotonic() >= give_up_at:
                error.why += f"\n{given_up}"
                raise
            if not told:
                tools.reporter.note(f"{begun}: {error.why}")
            told = True
            tools.clock.sleep(_PAUSE_SECONDS)
