"""IAM: roles, simulated permissions, and OpenID Connect providers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.model.surroundings import Role, trusts_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.aws.session.clients import Clients


def find_role(clients: Clients, name_or_arn: str) -> Role | None:
    """Give a role, its ARN with its path; None where there is no such role.

    Source: IAM GetRole, which takes the name alone.
    """
    name = name_or_arn.rpartition("/")[2]
    with translated(f"look at role {name}"):
        try:
            found = clients.iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if is_code(error, "NoSuchEntity"):
                return None
            raise
    trust = found.get("AssumeRolePolicyDocument")
    # botocore decodes it mostly; what it leaves alone is still encoded for a URL.
    text = unquote(trust) if isinstance(trust, str) else json.dumps(trust)
    # An answer that does not tell is no reason to refuse a role.
    return Role(found["Arn"], trust is None or trusts_tasks(text))


def denied_actions(
    clients: Clients,
    principal: str,
    actions: Sequence[str],
    resource: str,
    context: Mapping[str, str],
) -> frozenset[str]:
    """Give those of `actions` that a user or role may not do on a resource.

    Args:
        clients: the AWS clients.
        principal: the ARN of the user or role.
        actions: such as `ecr:PutImage`.
        resource: an ARN, or `*`.
        context: condition keys of the request, by name.

    Source: IAM SimulatePrincipalPolicy, all pages.
    """
    pages = clients.iam.get_paginator("simulate_principal_policy")
    with translated(f"find out what {principal} may do"):
        return frozenset(
            each["EvalActionName"]
            for page in pages.paginate(
                PolicySourceArn=principal,
                ActionNames=list(actions),
                ResourceArns=[resource],
                ContextEntries=[
                    {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                    for key, value in context.items()
                ],
            )
            for each in page["EvaluationResults"]
            if each["EvalDecision"] != "allowed"
        )


def has_identity_provider(clients: Clients, host: str) -> bool:
    """Return whether the account has an OpenID Connect provider.

    Source: IAM ListOpenIDConnectProviders.
    """
    with translated("look at the account's identity providers"):
        found = clients.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return any(each.get("Arn", "").endswith(f"oidc-provider/{host}") for each in found)


def create_identity_provider(clients: Clients, host: str, audience: str) -> None:
    """Create an OpenID Connect provider; an existing one is kept.

    Source: IAM CreateOpenIDConnectProvider.
    """
    with translated(f"create the identity provider {host}"):
        try:
            clients.iam.create_open_id_connect_provider(
                Url=f"https://{host}", ClientIDList=[audience]
            )
        except ClientError as error:
            if not is_code(error, "EntityAlreadyExists", "EntityAlreadyExistsException"):
                raise
