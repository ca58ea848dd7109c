"""What ECR's API says about a push that the registry refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from schoolctl.aws.ecr import authorization
from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.images.push.refusal import Facts

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.images import RepositoryUri

_NO_LAYER = f"sha256:{'0' * 64}"


def observe_refusal(clients: Clients, repository: RepositoryUri, said: str) -> Facts:
    """Ask as the same user for what an upload needs; an upload that is begun and left is nothing.

    Source: ECR BatchCheckLayerAvailability, InitiateLayerUpload, GetRepositoryPolicy.
    """
    return Facts(
        said,
        repository.registry,
        authorization(clients).registry,
        _denied(clients, repository.name),
        _policy(clients, repository.name),
    )


def _denied(clients: Clients, name: str) -> tuple[str, str] | None:
    try:
        with translated(f"upload to {name}"):
            clients.ecr.batch_check_layer_availability(
                repositoryName=name, layerDigests=[_NO_LAYER]
            )
        with translated(f"upload to {name}"):
            clients.ecr.initiate_layer_upload(repositoryName=name)
    except AccessDeniedError as error:
        return error.why, error.hint
    except SchoolctlError:
        return None  # whatever it is, it is no refusal
    return None


def _policy(clients: Clients, name: str) -> str:
    with suppress(SchoolctlError), translated(f"read the policy of {name}"):
        return clients.ecr.get_repository_policy(repositoryName=name).get("policyText", "")
    return ""
