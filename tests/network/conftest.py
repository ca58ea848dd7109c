"""What the tests of the network get: a project that names the groups, and the network on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds.account import edit
from tests.worlds.laid import Network, name_groups

if TYPE_CHECKING:
    from tests.conftest import Aws, Project


@pytest.fixture
def network(aws: Aws, project: Project) -> Network:
    """Give the documented network; schoolctl.yaml names its groups and subnets."""
    name_groups(project.directory)
    made = Network(aws)
    edit(project.directory, "service:\n", f"service:\n  subnets: [{', '.join(made.subnets)}]\n")
    return made


@pytest.fixture
def network_names(aws: Aws, project: Project) -> None:
    """Let schoolctl.yaml name the groups of an empty account."""
    del aws
    name_groups(project.directory)
