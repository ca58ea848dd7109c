"""A small configuration that is right, and ways to make it wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.config.file import parse_config
from schoolctl.config.tree import InvalidConfigError

if TYPE_CHECKING:
    from schoolctl.config.file import ConfigFile, ResolvedConfig

FILE = Path("/project/schoolctl.yaml")

SMALL = """\
app: schoolapp
image:
  repository: schoolapp-backend
task:
  family: schoolapp-backend
  execution_role: schoolapp-execution
service:
  cluster: schoolapp
  name: schoolapp-backend
environments:
  dev: {region: us-east-1}
  prod: {region: us-east-1}
"""


def parse(text: str | bytes) -> ConfigFile:
    """Parse a text as /project/schoolctl.yaml."""
    return parse_config(text, path=FILE)


def resolve(text: str, environment: str = "dev") -> ResolvedConfig:
    """Parse a text and resolve one of its environments; with "", the one that is chosen then."""
    return parse(text).resolve(environment or None)


def problems(text: str | bytes) -> list[str]:
    """Give the problems of a text, a line each; a text without any fails the test."""
    with pytest.raises(InvalidConfigError) as caught:
        parse(text)
    return caught.value.why.splitlines()


def small(**sections: str) -> str:
    """Give `SMALL` with a line of YAML added to each of the named sections, in braces for `dev`.

    `small(task="cpu: 512")` adds to the task, `small(dev="task: {cpu: 512}")` to the environment
    dev, and `small(root="default_environment: dev")` at the end of the file.
    """
    text = SMALL
    for section, line in sections.items():
        if section == "root":
            text += f"{line}\n"
        elif section in {"dev", "prod"}:
            text = text.replace(f"  {section}: {{", f"  {section}: {{{line}, ")
        else:
            text = text.replace(f"\n{section}:\n", f"\n{section}:\n  {line}\n")
    assert text != SMALL
    return text
