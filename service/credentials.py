"""Holds the database login and reads it again when the database refuses it."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

from service.aws import AwsReadError, Login
from service.logs import log

MIN_SECONDS_BETWEEN_READS: Final = 10.0


class Credentials:
    """The current login, shared by all connections of a process.

    `read` gives the logins that may be right now, the likeliest first; a later one is read only
    where those before it were refused.
    """

    def __init__(
        self,
        login: Login,
        read: Callable[[], Iterable[Login]],
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
                self._login = next((each for each in self._read() if each != refused), refused)
            except AwsReadError as error:
                log(logging.ERROR, "the database password could not be read", reason=str(error))
            else:
                if self._login == refused:
                    log(logging.ERROR, "the database refused its password: the secret has no other")
                else:
                    log(logging.WARNING, "the database password was rotated: read it again")
            return self._login
