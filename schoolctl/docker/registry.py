"""The registry protocol, as far as it is read here: what is written inside an image.

ECR's API gives manifests; the labels stand in a blob, which the registry itself hands out. The
same protocol is spoken by ECR, by a local AWS and by a registry of one's own.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from botocore.httpsession import get_cert_path

from schoolctl.base.errors import AccessDeniedError, EngineError
from schoolctl.base.text import is_loopback
from schoolctl.docker.errors import innermost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.images import Digest, RegistryLogin, RepositoryUri

_TIMEOUT = urllib3.Timeout(connect=5, read=30)
_RETRIES = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=3)
_CONNECTIONS = 4
READS_BLOBS = "ecr:GetDownloadUrlForLayer"
_LARGEST_CONFIG_BYTES = 4_000_000
"""The limit that registries themselves put on a manifest; a config blob is smaller still."""


def registry_url(registry: str) -> str:
    """Give where a registry answers: HTTPS, but HTTP on this machine, as Docker has it."""
    host = registry.rpartition(":")[0] or registry
    return f"{'http' if is_loopback(host) else 'https'}://{registry}"


def labels_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Give the labels in an image's configuration."""
    labels = (config.get("config") or {}).get("Labels") or {}
    return {str(key): str(value) for key, value in labels.items()}


def read_labels(
    repository: RepositoryUri, config_digest: Digest, login: RegistryLogin
) -> dict[str, str]:
    """Give the labels in an image's configuration blob; the rest is as with `read_config`."""
    return labels_of(read_config(repository, config_digest, login))


def read_config(
    repository: RepositoryUri, config_digest: Digest, login: RegistryLogin
) -> dict[str, Any]:
    """Give an image's configuration: its architecture, its labels, its command.

    Args:
        repository: where the image is.
        config_digest: the digest of its configuration, as its manifest names it.
        login: for the repository's registry.

    Raises:
        AccessDeniedError: the caller may not read it.
        EngineError: the registry does not answer, or not with a configuration.

    Source: OCI distribution specification, "pulling blobs"; OCI image specification, "config".
    """
    url = f"{registry_url(repository.registry)}/v2/{repository.name}/blobs/{config_digest}"
    what = f"could not read what is inside an image of {repository}"
    try:
        # ECR sends on to S3; urllib3 leaves the password out where the host is another.
        answer = pool_for(url).request(
            "GET",
            url,
            headers=login_header(login),
            timeout=_TIMEOUT,
            retries=_RETRIES,
            preload_content=False,
        )
        with closing(answer):
            if answer.status != HTTPStatus.OK:
                raise _refused(what, repository.registry, answer)
            content = answer.read(_LARGEST_CONFIG_BYTES, decode_content=True)
        config: dict[str, Any] = json.loads(content)
        labels_of(config)  # what has another shape is no configuration
    except urllib3.exceptions.HTTPError as error:
        raise EngineError(
            what,
            why=f"{repository.registry}: {innermost(error)}",
            hint="check the network, and `registry` of the environment",
        ) from error
    except (ValueError, AttributeError) as error:
        raise EngineError(what, why=f"{repository.registry} sent no configuration") from error
    return config


def _refused(
    what: str, registry: str, answer: urllib3.BaseHTTPResponse
) -> AccessDeniedError | EngineError:
    why = f"{registry} answered {answer.status} {answer.reason}"
    if answer.status != HTTPStatus.FORBIDDEN:
        return EngineError(what, why=why, hint="run it again")
    why = f"{why}: it needs {READS_BLOBS} on the repository"
    hint = f"ask for a policy that allows {READS_BLOBS}"
    return AccessDeniedError(what, action=READS_BLOBS, why=why, hint=hint)


def login_header(login: RegistryLogin) -> dict[str, str]:
    """Give the header that logs a request in."""
    return urllib3.make_headers(basic_auth=f"{login.username}:{login.password.reveal()}")


def platform_of(config: Mapping[str, Any]) -> str:
    """Give the platform in an image's configuration, such as `linux/amd64`."""
    named = (config.get("os"), config.get("architecture"), config.get("variant"))
    return "/".join(str(each) for each in named if each)


def pool_for(url: str) -> urllib3.PoolManager:
    """Make what sends a request, through the proxy and with the authorities of the environment."""
    parts = urlsplit(url)
    authorities = os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if proxy is not None:
        return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, ca_certs=authorities)
    return urllib3.PoolManager(maxsize=_CONNECTIONS, ca_certs=authorities)
