"""Ctrl-C and SIGTERM: when a run hears of them. No other module knows of signals.

Whatever waits, reads or asks is ended at once. A call that changes something at AWS is let finish
first, since nobody would know what came of it: the signal is kept until the run is about to sleep,
to make another call, or to begin its next step. The second signal ends everything at once.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schoolctl.base.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WAITS = "stopping as soon as AWS has answered; once more leaves at once"


class _Listener:
    """What one run has heard so far."""

    def __init__(self) -> None:
        self.say: Callable[[str], None] = lambda _: None
        self.heard = 0
        self.kept: KeyboardInterrupt | None = None
        self.in_flight = 0
        self.undisturbed = 0
        self.counting = threading.Lock()

    def hear(self, number: int, frame: object) -> None:
        """Handle a signal, between two instructions of the main thread."""
        del frame
        stop = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        self.heard += 1
        if self.heard == 1 and (self.in_flight or self.undisturbed):
            self.kept = stop
            self.say(_WAITS)
            return
        self.kept = None
        raise stop


_listener = _Listener()


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[None]:
    """Hear signals while the block runs; `say` tells the user that one is kept for a moment."""
    global _listener  # noqa: PLW0603  # a process has one set of signal handlers
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _listener = _Listener()
    _listener.say = say
    # Who starts a command in the background makes it deaf to Ctrl-C; it stays so.
    wanted = [
        each
        for each in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(each) is not signal.SIG_IGN
    ]
    before = {each: signal.signal(each, _listener.hear) for each in wanted}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the block, in the main thread, come to its end; a second signal ends it all the same."""
    _listener.undisturbed += 1
    try:
        yield
    finally:
        _listener.undisturbed -= 1


@contextmanager
def left_to_a_child() -> Iterator[None]:
    """Let a program that has the terminal hear Ctrl-C and Ctrl-Z alone; SIGTERM is ours.

    It begins with the usual handling: a function of ours is no handler to anybody else.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    keys = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
    before = {each: signal.signal(each, lambda _number, _frame: None) for each in keys}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def call_begins() -> None:
    """Note that a call begins which changes something, in whichever thread."""
    with _listener.counting:
        _listener.in_flight += 1


def call_ended() -> None:
    """Note that it was answered, or failed."""
    with _listener.counting:
        # The call may have begun before this run did, where one process makes several.
        _listener.in_flight = max(0, _listener.in_flight - 1)


def check() -> None:
    """Raise the signal that was kept, if there is one; outside the main thread, do nothing."""
    if threading.current_thread() is threading.main_thread() and not _listener.undisturbed:
        stop = kept()
        if stop is not None:
            raise stop


def kept() -> KeyboardInterrupt | None:
    """Take the signal that was kept."""
    stop, _listener.kept = _listener.kept, None
    return stop


def keep(stop: KeyboardInterrupt) -> None:
    """Keep a signal for later, where something else has to be told first."""
    _listener.kept = stop


def at_once() -> bool:
    """Tell whether a second signal came: nothing more is waited for."""
    return _listener.heard > 1


def answer_unknown() -> bool:
    """Tell whether a call was given up before its answer came."""
    return at_once() and _listener.in_flight > 0
