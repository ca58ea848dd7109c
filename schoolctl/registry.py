"""The registry protocol, as far as it is read here: what is written inside an image.

ECR's API gives manifests; the labels stand in a blob, which the registry itself hands out. The
same protocol is spoken by ECR, by a local AWS and by a registry of one's own.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

import requests
from requests.auth import HTTPBasicAuth

from schoolctl.engine_errors import innermost
from schoolctl.errors import EngineError

if TYPE_CHECKING:
    from schoolctl.model import Digest, RegistryLogin, RepositoryUri

_TIMEOUT_SECONDS = (5, 30)
_LARGEST_CONFIG_BYTES = 4_000_000
"""The limit that registries themselves put on a manifest; a config blob is smaller still."""


def registry_url(registry: str) -> str:
    """Give where a registry answers: HTTPS, but HTTP on this machine, as Docker has it."""
    host = registry.rpartition(":")[0] or registry
    return f"{'http' if _is_loopback(host) else 'https'}://{registry}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_labels(
    repository: RepositoryUri, config_digest: Digest, login: RegistryLogin
) -> dict[str, str]:
    """Give the labels in an image's configuration blob.

    Args:
        repository: where the image is.
        config_digest: the digest of its configuration, as its manifest names it.
        login: for the repository's registry.

    Raises:
        EngineError: the registry does not answer, or not with a configuration.

    Source: OCI distribution specification, "pulling blobs"; OCI image specification, "config".
    """
    url = f"{registry_url(repository.registry)}/v2/{repository.name}/blobs/{config_digest}"
    what = f"could not read what is inside an image of {repository}"
    try:
        # ECR sends on to S3; requests leaves the password out where the host is another.
        with requests.get(
            url,
            auth=HTTPBasicAuth(login.username, login.password.reveal()),
            timeout=_TIMEOUT_SECONDS,
            stream=True,
        ) as answer:
            if not answer.ok:
                raise EngineError(
                    what,
                    why=f"{repository.registry} answered {answer.status_code} {answer.reason}",
                    hint="it needs ecr:GetDownloadUrlForLayer on the repository",
                )
            content = answer.raw.read(_LARGEST_CONFIG_BYTES, decode_content=True)
        labels = (json.loads(content).get("config") or {}).get("Labels") or {}
    except requests.RequestException as error:
        raise EngineError(
            what,
            why=f"{repository.registry}: {innermost(error)}",
            hint="check the network, and `registry` of the environment",
        ) from error
    except (ValueError, AttributeError) as error:
        raise EngineError(what, why=f"{repository.registry} sent no configuration") from error
    return {str(key): str(value) for key, value in labels.items()}
