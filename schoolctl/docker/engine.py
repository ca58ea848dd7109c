"""The protocol of a Docker engine, and the types of its requests and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schoolctl.docker.context import BuildContext
    from schoolctl.model.images import (
        Builder,
        BuilderChoice,
        BuildSecret,
        Digest,
        ImageRef,
        RegistryLogin,
    )

    OnProgress = Callable[[str, str, int | None, int | None], None]
    """Takes a layer's id, its status, the bytes moved and their total."""
    OnLine = Callable[[str], None]


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine has.

    Attributes:
        id: what the engine knows it by.
        platform: such as `linux/amd64`.
        size_bytes: on disk.
        labels: of its configuration.
        layers: the digest of each layer's uncompressed content, the base's first.
        digests: the manifest digest for each registry that it was pushed to or pulled from.
    """

    id: str
    platform: str
    size_bytes: int
    labels: Mapping[str, str]
    layers: tuple[str, ...]
    digests: tuple[Digest, ...]


@dataclass(frozen=True)
class EngineInfo:
    """What an engine tells of itself.

    Attributes:
        version: such as `28.5.1`.
        host: where it was found.
        folder: where it keeps its images, on its own machine.
    """

    version: str
    host: str
    folder: str


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built.

    Attributes:
        context: what the builder gets.
        image: the name that the image gets in the engine.
        platform: such as `linux/amd64`.
        build_args: for the Dockerfile's ARG; they can be read in the image's history.
        labels: for the image's configuration.
        builder: which builder, from `Engine.builder`.
        secrets: what the build may read and the image does not keep; BuildKit's alone.
    """

    context: BuildContext
    image: ImageRef
    platform: str
    builder: Builder
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[BuildSecret, ...] = ()


@dataclass(frozen=True)
class PushResult:
    """What a push did.

    Attributes:
        digest: of the manifest that the registry took.
        sent: the ids (twelve digits) of the layers that went up; the others were there.
    """

    digest: Digest
    sent: tuple[str, ...]


class Engine(Protocol):
    """What the product asks of a Docker engine. Every failure is an `EngineError`."""

    def info(self) -> EngineInfo:
        """Give what the engine tells of itself."""
        ...

    def image(self, reference: str) -> LocalImage | None:
        """Give an image by name or id; None where the engine has none."""
        ...

    def tag(self, image_id: str, reference: ImageRef) -> None:
        """Give an image one more name."""
        ...

    def builder(self, choice: BuilderChoice) -> Builder:
        """Find the builder for a choice; an error where the one asked for is not there."""
        ...

    def build(self, request: BuildRequest, on_line: OnLine) -> LocalImage:
        """Build an image and give it its name; another platform than asked for is an error."""
        ...

    def push(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> PushResult:
        """Push an image by its tag."""
        ...

    def pull(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> LocalImage:
        """Pull an image by its tag or digest."""
        ...
