"""Tells what ECS says of a service while it is waited for, each event once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from schoolctl.model.services import ServiceState
    from schoolctl.output.reporter import View


class News:
    """The events of a service from a time on, the oldest first."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._told: set[str] = set()

    def tell(self, service: ServiceState | None, view: View) -> bool:
        """Show the events that were not shown yet; says whether there were any."""
        fresh = [
            each
            for each in reversed(service.events if service is not None else ())
            if each.at >= self._since and each.id not in self._told
        ]
        for each in fresh:
            self._told.add(each.id)
            view.event(f"  {each.message}")
        return bool(fresh)
