"""`init --stack`: a schoolctl.yaml whose infrastructure is laid by `infra up`."""

from __future__ import annotations

import re
from typing import Final

_NAMED_BY_STACK: Final = frozenset(
    {
        *("execution_role", "task_role", "log_group", "cluster", "subnets", "security_groups"),
        *("target_group", "alb_group", "service_group", "database_group"),
    }
)
NEXT_STEPS: Final = (
    "next:",
    "  schoolctl infra plan",
    "  schoolctl infra up",
    "  schoolctl push --tag 1.0",
    "  schoolctl params set",
    "  schoolctl deploy --tag 1.0",
)


def with_stack(text: str) -> str:
    """Give the commented file with the stack turned on, and without the names of what it makes."""
    kept: list[str] = []
    for line in text.splitlines():
        if line.strip().partition(":")[0] not in _NAMED_BY_STACK:
            kept.append(line)
            continue
        # The comment above a name goes with it; one above several is gone by the second.
        while kept and kept[-1].startswith("  #"):
            kept.pop()
    text = "\n".join(kept) + "\n"
    text = text.replace("  stack: false\n", "  stack: true\n", 1)
    text = re.sub(r"# Security groups, from [^\n]*\nnetwork:\n\n", "", text)
    text = re.sub(r"# The infrastructure, if .*?\ninfra:\n", _ABOVE, text, flags=re.DOTALL)
    # Of one family, the environments of an account would go back to each other's revisions.
    text = text.replace("service:\n", "service:\n  # Name of the ECS service.\n", 1)
    return re.sub(
        r"^  family: (.+)$", r'  family: "\1-{environment}"', text, count=1, flags=re.MULTILINE
    )


_ABOVE: Final = """\
# The infrastructure, which `schoolctl infra up` lays: load balancer, cluster, roles, log group and
# security groups, each with the environment in its name.
infra:
"""
