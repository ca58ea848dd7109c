"""The application that the emulator's process serves: the emulator behind its gateway.

Imported by hypercorn alone, with the environment that `emulator.start` gives the process.
"""

from __future__ import annotations

import functools
import ipaddress
import os

from ministack.app import app as emulator
from ministack.core.responses import request_scope
from ministack.services.alb import find_lb_for_host

from schoolctl.sandbox.emulator import ACCOUNT, CONTAINERS_VARIABLE, HOSTS_VARIABLE, Gateway, Policy
from schoolctl.sandbox.host import can_bind


@functools.lru_cache(maxsize=64)
def _is_own(address: str) -> bool:
    # A server can listen only on what is its machine's, and the kernel drops packets from outside
    # that claim to come from there. The engine's address translation makes our own calls to the
    # bridge look like calls from any of our addresses.
    return can_bind(address, 0)


def _is_balancer(host: str) -> bool:
    with request_scope(ACCOUNT, os.environ["MINISTACK_REGION"]):
        return find_lb_for_host(host) is not None


app = Gateway(
    emulator,
    Policy(
        containers=ipaddress.IPv4Network(os.environ[CONTAINERS_VARIABLE]),
        is_own=_is_own,
        hosts=frozenset(os.environ[HOSTS_VARIABLE].split(",")),
        is_balancer=_is_balancer,
    ),
)
