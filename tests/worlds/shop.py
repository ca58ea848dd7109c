"""A project whose images go to a real registry, and are told of by moto's ECR."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import ACCOUNT
from tests.fake_engine import FakeEngine
from tests.registry import Registry, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws, Project, Result

NAME = "schoolapp-backend"


@dataclass
class Shop:
    """The command with an engine, a registry and ECR behind it."""

    aws: Aws
    project: Project
    registry: Registry
    engine: FakeEngine = field(default_factory=FakeEngine)

    @classmethod
    def open(cls, aws: Aws, project: Project, *, repository: bool = True) -> Shop:
        """Set up: a registry that takes moto's token, a config that names it, a Dockerfile."""
        registry = Registry(password=f"{ACCOUNT}-auth-token")
        registry.start()
        shop = cls(aws, project, registry)
        registry.on_manifest = shop.tell_ecr
        file = project.directory / "schoolctl.yaml"
        file.write_text(file.read_text().replace("dev: {", f'dev: {{registry: "{registry.host}", '))
        shop.write("Dockerfile", "FROM scratch\nCOPY app /app\n")
        shop.write(".dockerignore", "*\n!app\n")
        shop.write("app", "1")
        if repository:
            shop.ecr.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
        return shop

    @property
    def ecr(self) -> Any:
        """A plain client, for setting the scene and looking at the result."""
        return self.aws.client("ecr")

    @property
    def uri(self) -> str:
        """The repository as image references name it."""
        return f"{self.registry.host}/{NAME}"

    def tell_ecr(self, name: str, tag: str, manifest: str, media_type: str) -> None:
        """Note in ECR what the registry took, as the one service that they are would."""
        self.ecr.put_image(
            repositoryName=name,
            imageManifest=manifest,
            imageManifestMediaType=media_type,
            imageDigest=digest_of(manifest.encode()),
            **({"imageTag": tag} if tag else {}),
        )

    def write(self, name: str, content: str) -> Path:
        """Write a file of the project."""
        path = self.project.directory / name
        path.write_text(content)
        return path

    def run(self, *args: str, **services: Any) -> Result:
        """Run the command."""
        return self.project.invoke(*args, engine=self.engine, **services)

    def push(self, tag: str, content: str) -> str:
        """Push an image of its own; gives its digest."""
        self.write("app", content)
        done = self.run("push", "--tag", tag, "--json")
        assert done.exit_code == 0, done.stderr
        return str(json.loads(done.stdout)["digest"])

    def tags(self) -> dict[str, str]:
        """Give the digest of each tag, as ECR tells."""
        details = self.ecr.describe_images(repositoryName=NAME)["imageDetails"]
        return {tag: each["imageDigest"] for each in details for tag in each.get("imageTags", [])}
