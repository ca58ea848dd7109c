"""The steps that build, push, copy and pull images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.base.text import size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from schoolctl.model.images import (
        Builder,
        BuildSecret,
        Digest,
        ImageRef,
        RegistryLogin,
        Severity,
    )


@dataclass(frozen=True)
class CreateRepository(Step):
    """Create an ECR repository: immutable tags, scan on push, encrypted."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create repository {self.name} (immutable tags, scan on push, AES-256)"


@dataclass(frozen=True)
class BuildImage(Step):
    """Build an image from a context directory and give it a local tag."""

    image: ImageRef
    context: Path
    dockerfile: Path
    platform: str
    build_args: Mapping[str, str]
    labels: Mapping[str, str]
    context_bytes: int
    builder: Builder
    secrets: tuple[BuildSecret, ...] = ()

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        named = ", ".join(each.id for each in self.secrets)
        return (
            f"build {self.image} for {self.platform} from {self.context}"
            f" ({size(self.context_bytes)}, {self.builder}{f', secrets: {named}' if named else ''})"
        )


@dataclass(frozen=True)
class PushImage(Step):
    """Push a local image and compare the digest that ECR reports with the one pushed."""

    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"push {self.image}"


@dataclass(frozen=True)
class CopyImage(Step):
    """Copy an image by digest from another environment's repository, registry to registry."""

    source: ImageRef
    environment: str
    """Whose repository the source is in."""
    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"copy {self.source} of environment {self.environment} to {self.image}"


@dataclass(frozen=True)
class ReadScan(Step):
    """Wait for ECR's scan of the image, and tell what it found."""

    repository: str
    digest: Digest | None
    """None for the image that this plan pushes."""
    fail_on: Severity | None
    """Findings as bad as this are an error."""
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        limit = f", and fail on findings that are {self.fail_on}" if self.fail_on else ""
        return f"read what ECR's scan finds (at most {self.timeout_seconds:.0f} s){limit}"


@dataclass(frozen=True)
class PullImage(Step):
    """Pull an image, logged in."""

    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"pull {self.image}"


@dataclass(frozen=True)
class StoreLogin(Step):
    """Put a registry's login where Docker looks for it."""

    login: RegistryLogin
    place: str
    """Docker's configuration file, or the credential helper in charge."""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the token."""
        return f"store the login for {self.login.registry} in {self.place}"


AnyImageStep = (
    CreateRepository | BuildImage | PushImage | CopyImage | ReadScan | PullImage | StoreLogin
)
