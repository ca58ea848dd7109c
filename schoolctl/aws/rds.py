"""RDS: instances and Aurora clusters, and deleting an instance."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.base.errors import NotFoundError
from schoolctl.model.values import Database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.session.clients import Clients


_NO_DATABASE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")


def find_database(clients: Clients, name: str) -> Database:
    """Give the RDS instance `name`, or the Aurora cluster of that name.

    Both are asked for side by side; an instance counts first.

    Raises:
        NotFoundError: there is neither; names those that exist.

    Source: RDS DescribeDBInstances, DescribeDBClusters.
    """
    cluster = clients.start(_find_cluster, clients, name)
    found = _find_instance(clients, name) or cluster.result()
    if found is not None:
        return found
    clusters = clients.start(_names, clients, "describe_db_clusters", "DBClusters")
    known = [*_names(clients, "describe_db_instances", "DBInstances"), *clusters.result()]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise NotFoundError(
        f"there is no RDS instance or cluster {name}{meant}",
        why=f"RDS in {clients.region} has {', '.join(dict.fromkeys(known)) or 'none at all'}",
        hint="`schoolctl profile show` tells which account and region that is",
    )


def _find_instance(clients: Clients, name: str) -> Database | None:
    with translated(f"look at RDS instance {name}"):
        try:
            found = clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        except ClientError as error:
            if is_code(error, *_NO_DATABASE):
                return None
            raise
    return _instance(found[0]) if found else None


def _find_cluster(clients: Clients, name: str) -> Database | None:
    with translated(f"look at RDS cluster {name}"):
        try:
            found = clients.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        except ClientError as error:
            if is_code(error, "DBClusterNotFoundFault", "DBClusterNotFound"):
                return None
            raise
    return _cluster(found[0]) if found else None


def _instance(found: Mapping[str, Any]) -> Database:
    endpoint = found.get("Endpoint", {})
    return Database(
        name=found["DBInstanceIdentifier"],
        kind="instance",
        status=found.get("DBInstanceStatus", ""),
        endpoint=endpoint.get("Address", ""),
        port=endpoint.get("Port"),
        database=found.get("DBName", ""),
        user=found.get("MasterUsername", ""),
        secret_arn=found.get("MasterUserSecret", {}).get("SecretArn", ""),
        cluster=found.get("DBClusterIdentifier", ""),
        security_groups=_groups(found),
        vpc_id=found.get("DBSubnetGroup", {}).get("VpcId", ""),
    )


def _cluster(found: Mapping[str, Any]) -> Database:
    return Database(
        name=found["DBClusterIdentifier"],
        kind="cluster",
        status=found.get("Status", ""),
        endpoint=found.get("Endpoint", ""),
        port=found.get("Port"),
        database=found.get("DatabaseName", ""),
        user=found.get("MasterUsername", ""),
        secret_arn=found.get("MasterUserSecret", {}).get("SecretArn", ""),
        security_groups=_groups(found),
    )


def _groups(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the security groups; one that is being taken off counts no more."""
    return tuple(
        each["VpcSecurityGroupId"]
        for each in found.get("VpcSecurityGroups", ())
        if each.get("Status") != "removing"
    )


def list_databases(clients: Clients) -> tuple[Database, ...]:
    """Give all instances and Aurora clusters of the account and region, instances first.

    Source: RDS DescribeDBInstances, DescribeDBClusters, all pages, side by side.
    """
    clusters = clients.start(_all, clients, "describe_db_clusters", "DBClusters")
    instances = _all(clients, "describe_db_instances", "DBInstances")
    return (*map(_instance, instances), *map(_cluster, clusters.result()))


def _names(clients: Clients, operation: str, key: str) -> list[str]:
    """Give the names of all instances or clusters."""
    field = f"{key.removesuffix('s')}Identifier"
    return [each[field] for each in _all(clients, operation, key)]


def _all(clients: Clients, operation: str, key: str) -> list[Mapping[str, Any]]:
    with translated("list the RDS instances and clusters"):
        pages = clients.rds.get_paginator(operation).paginate()  # type: ignore[call-overload]  # the name is a variable
        return [each for page in pages for each in page[key]]


def database_protected(clients: Clients, instance: str) -> bool:
    """Return whether RDS refuses to delete an instance; False if it is gone.

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


def database_exists(clients: Clients, instance: str) -> bool:
    """Return whether an instance exists, even one being deleted.

    Source: RDS DescribeDBInstances.
    """
    return _find_instance(clients, instance) is not None


def unprotect_database(clients: Clients, instance: str) -> None:
    """Allow RDS to delete an instance. Source: RDS ModifyDBInstance."""
    with translated(f"take the deletion protection off database {instance}"):
        clients.rds.modify_db_instance(
            DBInstanceIdentifier=instance, DeletionProtection=False, ApplyImmediately=True
        )


def delete_database(clients: Clients, instance: str) -> bool:
    """Begin to delete an instance without a snapshot; False if it is gone.

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
