"""The template's database: RDS MySQL, private, encrypted, reached by TLS alone.

Source: CloudFormation template reference, AWS::RDS::DBInstance; RDS guide, "Requiring SSL/TLS for
all connections to a MySQL DB instance" and "Password management with RDS and Secrets Manager".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schoolctl.config.infra import DatabaseConfig
from schoolctl.infra.network import MYSQL_PORT, attribute, database_subnets, named, ref

if TYPE_CHECKING:
    from schoolctl.config.models import Config

DATABASE = "Database"
"""The database's logical id."""


def database_resources(config: Config) -> dict[str, dict[str, Any]]:
    """Give the RDS instance and what it stands in; empty where none is wanted.

    It has no name of its own, so that one which has to be replaced can be; its last state is kept
    in a snapshot whatever becomes of it.
    """
    wanted = config.infra.database
    if not isinstance(wanted, DatabaseConfig):
        return {}
    major = ".".join(wanted.engine_version.split(".")[:2])
    return {
        "DatabaseSubnets": {
            "Type": "AWS::RDS::DBSubnetGroup",
            "Properties": {
                "DBSubnetGroupDescription": f"database of {config.stack_name}",
                "SubnetIds": database_subnets(config),
                "Tags": named(config, "database"),
            },
        },
        "DatabaseSettings": {
            "Type": "AWS::RDS::DBParameterGroup",
            "Properties": {
                "Description": f"database of {config.stack_name}",
                "Family": f"mysql{major}",
                "Parameters": {"require_secure_transport": "1"},
                "Tags": named(config, "database"),
            },
        },
        DATABASE: {
            "Type": "AWS::RDS::DBInstance",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {
                "Engine": "mysql",
                "EngineVersion": wanted.engine_version,
                "DBInstanceClass": wanted.instance_class,
                "AllocatedStorage": str(wanted.storage),
                "MaxAllocatedStorage": wanted.max_storage,
                "StorageType": "gp3",
                "StorageEncrypted": True,
                "DBName": wanted.name,
                "Port": str(MYSQL_PORT),
                "MasterUsername": wanted.user,
                "ManageMasterUserPassword": True,
                "DBSubnetGroupName": ref("DatabaseSubnets"),
                "DBParameterGroupName": ref("DatabaseSettings"),
                "VPCSecurityGroups": [attribute("DatabaseGroup", "GroupId")],
                "PubliclyAccessible": False,
                "MultiAZ": wanted.multi_az,
                "BackupRetentionPeriod": wanted.backup_days,
                "CopyTagsToSnapshot": True,
                "DeletionProtection": wanted.deletion_protection,
                "AutoMinorVersionUpgrade": True,
                "EnableCloudwatchLogsExports": ["error"],
                "Tags": named(config, "database"),
            },
        },
    }


def database_outputs(config: Config) -> dict[str, tuple[str, Any]]:
    """Give what other commands want to know of the database."""
    if not config.infra.database:
        return {}
    return {
        "DatabaseInstance": ("RDS instance", ref(DATABASE)),
        "DatabaseEndpoint": ("host of the database", attribute(DATABASE, "Endpoint.Address")),
        "DatabasePort": ("port of the database", attribute(DATABASE, "Endpoint.Port")),
        "DatabaseSecret": (
            "secret in which RDS keeps the password",
            attribute(DATABASE, "MasterUserSecret.SecretArn"),
        ),
    }
