"""What is done by hand to things that stand in a stack, or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.ecs.services import describe_services, list_services
from schoolctl.aws.session.errors import is_code, translated
from schoolctl.base.errors import NotFoundError

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import ServiceState

_NO_DATABASE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")


def services_of(clients: Clients, cluster: str) -> tuple[ServiceState, ...]:
    """Give the services of a cluster; none where there is no such cluster.

    Source: ECS ListServices, DescribeServices.
    """
    try:
        names = list_services(clients, cluster)
        return tuple(describe_services(clients, cluster, names)) if names else ()
    except NotFoundError:
        return ()


def count_tasks(clients: Clients, cluster: str) -> int:
    """Count the tasks of a cluster that run or are to run. Source: ECS ListTasks, one page."""
    with translated(f"look for tasks in cluster {cluster}"):
        try:
            return len(clients.ecs.list_tasks(cluster=cluster)["taskArns"])
        except ClientError as error:
            if is_code(error, "ClusterNotFoundException"):
                return 0
            raise


def delete_service(clients: Clients, cluster: str, name: str) -> None:
    """Delete a service that runs nothing; one that is gone is as good. Source: DeleteService."""
    with translated(f"delete service {cluster}/{name}"):
        try:
            clients.ecs.delete_service(cluster=cluster, service=name)
        except ClientError as error:
            if not is_code(error, "ServiceNotFoundException", "ServiceNotActiveException"):
                raise


def database_protected(clients: Clients, instance: str) -> bool:
    """Say whether RDS refuses to delete an instance; one that is gone has nothing to protect.

    Source: RDS DescribeDBInstances.
    """
    with translated(f"look at database {instance}"):
        try:
            found = clients.rds.describe_db_instances(DBInstanceIdentifier=instance)
        except ClientError as error:
            if is_code(error, *_NO_DATABASE):
                return False
            raise
    return any(each.get("DeletionProtection") for each in found["DBInstances"])


def unprotect_database(clients: Clients, instance: str) -> None:
    """Let an instance be deleted. Source: RDS ModifyDBInstance."""
    with translated(f"take the deletion protection off database {instance}"):
        clients.rds.modify_db_instance(
            DBInstanceIdentifier=instance, DeletionProtection=False, ApplyImmediately=True
        )


def delete_database(clients: Clients, instance: str) -> bool:
    """Begin to delete an instance without a snapshot; False where it is gone.

    Source: RDS DeleteDBInstance.
    """
    with translated(f"delete database {instance}"):
        try:
            clients.rds.delete_db_instance(
                DBInstanceIdentifier=instance,
                SkipFinalSnapshot=True,
                DeleteAutomatedBackups=True,
            )
        except ClientError as error:
            if is_code(error, *_NO_DATABASE):
                return False
            # An earlier run began it.
            if not is_code(error, "InvalidDBInstanceState", "InvalidDBInstanceStateFault"):
                raise
    return True


def database_exists(clients: Clients, instance: str) -> bool:
    """Say whether an instance is there, be it on its way out. Source: RDS DescribeDBInstances."""
    with translated(f"look at database {instance}"):
        try:
            clients.rds.describe_db_instances(DBInstanceIdentifier=instance)
        except ClientError as error:
            if is_code(error, *_NO_DATABASE):
                return False
            raise
    return True


def delete_log_group(clients: Clients, name: str) -> None:
    """Delete a log group; one that is gone is as good. Source: CloudWatch Logs DeleteLogGroup."""
    with translated(f"delete log group {name}"):
        try:
            clients.logs.delete_log_group(logGroupName=name)
        except ClientError as error:
            if not is_code(error, "ResourceNotFoundException"):
                raise


def has_identity_provider(clients: Clients, host: str) -> bool:
    """Say whether the account knows an OpenID Connect provider.

    Source: IAM ListOpenIDConnectProviders.
    """
    with translated("look at the account's identity providers"):
        found = clients.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return any(each.get("Arn", "").endswith(f"oidc-provider/{host}") for each in found)


def create_identity_provider(clients: Clients, host: str, audience: str) -> None:
    """Create an OpenID Connect provider; one that is there is as good.

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
