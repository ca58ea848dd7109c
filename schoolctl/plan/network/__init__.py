"""The network that the service needs: what there is, where it differs, how to get there. Pure.

`check_network` compares what `schoolctl.aws.observe_network` saw with the documented chain,
internet -> load balancer 80/443 -> service 3000 -> database 3306, and the ways out that tasks
need; `plan_network` makes the plan that repairs it.
"""

from __future__ import annotations

from schoolctl.plan.network.apply import plan_network
from schoolctl.plan.network.check import check_network, notes_of
from schoolctl.plan.network.finding import Finding, Kind, Severity
from schoolctl.plan.network.state import NetworkState, Role

__all__ = [
    "Finding",
    "Kind",
    "NetworkState",
    "Role",
    "Severity",
    "check_network",
    "notes_of",
    "plan_network",
]
