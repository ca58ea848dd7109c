"""The image: what is in it, as whom it runs, and that it needs nothing it should not have."""

from __future__ import annotations

import json
import secrets
import tarfile
import tempfile
import time
import zlib
from typing import TYPE_CHECKING

import pytest
import requests

from schoolctl.sandbox.images import default_base, ensure_base
from tests.service.conftest import ADA
from tests.service.mariadb import free_port
from tests.service.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("service-image")]

NAME = "service-test/image"
MOST_BYTES_OVER_BASE = 60_000_000
MOST_BYTES_OF_CODE = 100_000
EMPTY_LAYER_BYTES = 1000
READY_SECONDS = 30.0


@pytest.fixture(scope="module")
def base(engine_client: DockerClient) -> str:
    ordinary = default_base(REPOSITORY / "Dockerfile")
    assert ordinary is not None
    return ensure_base(engine_client, ordinary, lambda _text: None)


@pytest.fixture(scope="module")
def image(engine_client: DockerClient, base: str) -> Image:
    # The name stays, and with it the builder's cache for the next run.
    built, _ = engine_client.images.build(
        path=str(REPOSITORY), tag=NAME, buildargs={"BASE_IMAGE": base}, rm=True, forcerm=True
    )
    return built


@pytest.fixture
def container(engine_client: DockerClient, image: Image) -> Iterator[Container]:
    """Run the image as narrowly as can be; its SQLite file is in memory and not migrated yet."""
    running = engine_client.containers.run(
        image,
        name=f"service-test-{secrets.token_hex(4)}",
        detach=True,
        read_only=True,
        user="10001",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/data": "mode=1777"},
        environment={"DATABASE_URL": "sqlite:////data/service.db", "WEB_CONCURRENCY": "1"},
        ports={"3000/tcp": ("127.0.0.1", free_port())},
    )
    yield running
    running.remove(force=True)


def url_of(container: Container) -> str:
    container.reload()
    bindings = container.ports["3000/tcp"]
    assert bindings
    binding = bindings[0]
    return f"http://127.0.0.1:{binding['HostPort']}"


def output_of(engine: DockerClient, image: Image, *command: str) -> str:
    return bytes(engine.containers.run(image, list(command), remove=True)).decode()


def wait_for_status(url: str, status: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if requests.get(f"{url}/healthz", timeout=5).status_code == status:
                return
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the container does not listen"
        assert time.monotonic() < deadline, f"/healthz did not become {status}"
        time.sleep(0.05)


def test_it_serves_read_only_without_root_or_capabilities(container: Container) -> None:
    url = url_of(container)
    wait_for_status(url, 503)
    code, output = container.exec_run(["python", "-m", "service.migrate"])
    assert code == 0, output
    wait_for_status(url, 200)
    assert requests.post(f"{url}/api/register", json=ADA, timeout=5).status_code == 201
    assert "<form" in requests.get(url, timeout=5).text
    container.stop(timeout=10)
    assert container.wait()["StatusCode"] == 0
    lines = bytes(container.logs()).decode().splitlines()
    assert [json.loads(line).get("outcome") for line in lines].count("created") == 1


def test_the_server_is_process_one(container: Container) -> None:
    wait_for_status(url_of(container), 503)
    _, output = container.exec_run(["cat", "/proc/1/cmdline"])
    assert isinstance(output, bytes)
    assert b"gunicorn" in output
    assert not output.startswith(b"sh")


def test_its_own_user_is_not_root_and_owns_nothing(
    engine_client: DockerClient, image: Image
) -> None:
    script = "id -u; find /app /opt/venv -writable ! -type l | wc -l"
    assert output_of(engine_client, image, "sh", "-c", script).split() == ["10001", "0"]


def test_it_holds_the_service_without_tests_installers_or_hidden_files(
    engine_client: DockerClient, image: Image
) -> None:
    assert output_of(engine_client, image, "ls", "-A", "/app").split() == ["service"]
    unwanted = ["-name", "pip", "-o", "-name", "requirements.in", "-o", "-name", "tests"]
    unwanted += ["-o", "-name", ".*"]
    assert output_of(engine_client, image, "find", "/app", "/opt/venv", *unwanted) == ""


def test_every_module_has_its_byte_code_as_none_can_be_written_later(
    engine_client: DockerClient, image: Image
) -> None:
    script = (
        "from importlib.util import cache_from_source; from pathlib import Path\n"
        "modules = [path for path in Path('/app').rglob('*.py')]\n"
        "print(len(modules) > 20, [p for p in modules if not Path(cache_from_source(p)).exists()])"
    )
    assert output_of(engine_client, image, "python", "-c", script).strip() == "True []"


def test_it_is_small(engine_client: DockerClient, image: Image, base: str) -> None:
    over = image.attrs["Size"] - engine_client.images.get(base).attrs["Size"]
    assert over < MOST_BYTES_OVER_BASE


def test_a_change_of_code_is_a_small_upload(image: Image) -> None:
    *_, libraries, _certificates, first_half, second_half = _compressed_layers(image)
    assert max(first_half, second_half) < MOST_BYTES_OF_CODE < libraries


def _compressed_layers(image: Image) -> list[int]:
    """Give the size of each layer as a registry gets it, the base's first; without empty ones."""
    with tempfile.TemporaryFile() as saved:
        for piece in image.save():
            saved.write(piece)
        saved.seek(0)
        with tarfile.open(fileobj=saved) as tar:
            manifest = tar.extractfile("manifest.json")
            assert manifest is not None
            found = []
            for name in json.load(manifest)[0]["Layers"]:
                layer = tar.extractfile(name)
                assert layer is not None
                found.append(len(zlib.compress(layer.read(), 1)))
    return [each for each in found if each > EMPTY_LAYER_BYTES]


def test_aws_can_be_called_with_the_models_that_are_left(
    engine_client: DockerClient, image: Image
) -> None:
    script = (
        "import botocore.session; session = botocore.session.Session()\n"
        "for name in ('ssm', 'secretsmanager', 'sts'):\n"
        "    print(session.create_client(name, 'eu-west-1').meta.endpoint_url)"
    )
    assert output_of(engine_client, image, "python", "-c", script).split() == [
        "https://ssm.eu-west-1.amazonaws.com",
        "https://secretsmanager.eu-west-1.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com",
    ]
