"""Waits for what was created a moment ago and is not visible to ECS yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.visible import NotVisibleYetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.execute import Tools

T = TypeVar("T")

_VISIBLE_WITHIN_SECONDS = 60.0
_PAUSE_SECONDS = 3.0


def until_visible(tools: Tools, call: Callable[[], T]) -> T:
    """Repeat a call for a minute while ECS does not see a role or a target group.

    Both take effect some seconds after they were created; after a minute they are truly wrong.
    """
    give_up_at = tools.clock.monotonic() + _VISIBLE_WITHIN_SECONDS
    told = False
    while True:
        try:
            return call()
        except NotVisibleYetError as error:
            if tools.clock.monotonic() >= give_up_at:
                error.why += "\nit was tried again for a minute: this is no matter of time"
                raise
            if not told:
                tools.reporter.note(f"waiting up to a minute: {error.why}")
            told = True
            tools.clock.sleep(_PAUSE_SECONDS)
