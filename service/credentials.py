"""Holds the database login and reads it again when the database refuses it."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from service.aws import AwsReadError, Login
from service.logs import log

MIN_SECONDS_BETWEEN_READS: Final = 10.0


class Credentials:
    """The current login, shared by all connections of a process."""

    def __init__(
        self,
        login: Login,
        read: Callable[[], Login],
        clock: Callable[[], float],
    ) -> None:
        self._login = login
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")

    def current(self) -> Login:
        """Give the login as last read."""
        return self._login

    def refresh(self, refused: Login) -> Login:
        """Read the login again because the database refused it.

        One caller reads while the others wait and share what it found, and a secret that stays
        wrong is read at most once in ten seconds.

        Args:
            refused: the login that did not work.

        Returns:
            The login to try now; equal to `refused` when there is no other.
        """
        with self._lock:
            if self._login != refused:
                return self._login
            now = self._clock()
            if now - self._read_at < MIN_SECONDS_BETWEEN_READS:
                return refused
            self._read_at = now
            try:
                self._login = self._read()
            except AwsReadError as error:
                log(logging.ERROR, "the database password could not be read", reason=str(error))
            else:
                changed = self._login != refused
                log(logging.WARNING, "the database refused its password", changed=changed)
            return self._login
