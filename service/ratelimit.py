"""A limit on requests for each client address, kept in the memory of one process.

With several processes or tasks the effective limit is that much higher; a hard limit over all of
them belongs in front of the service (AWS WAF).
"""

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_CLIENTS: Final = 20_000
IPV6_CUSTOMER_PREFIX: Final = 64  # one customer can use every address of such a network


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in any `seconds`, all of which may come at once."""

    requests: int
    seconds: int


class RateLimiter:
    """One token bucket for each client; the least recently seen client is forgotten first."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> int:
        """Count one request of a client.

        Args:
            address: the client's IP address as text.

        Returns:
            0 when the request may proceed, else the whole seconds after which one may.
        """
        key = client_key(address)
        capacity = float(self._limit.requests)
        rate = capacity / self._limit.seconds
        with self._lock:
            now = self._clock()
            tokens, seen = self._buckets.pop(key, (capacity, now))
            tokens = min(capacity, tokens + (now - seen) * rate)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - tokens) / rate))


@lru_cache(maxsize=4096)
def client_key(address: str) -> str:
    """Give what is counted for an address: itself, or the customer's network for IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_CUSTOMER_PREFIX), strict=False))
