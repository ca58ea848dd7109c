"""Ten task definitions as teams have them, and how ECS tells of what it was given."""

from __future__ import annotations

import copy
from typing import Any

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{REGISTRY}/schoolapp-backend@sha256:{{digest}}"
EXECUTION = "arn:aws:iam::123456789012:role/schoolapp-execution"
TASK = "arn:aws:iam::123456789012:role/schoolapp-task"
SSM = "arn:aws:ssm:us-east-1:123456789012:parameter/schoolapp/dev"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:schoolapp/dev/db_password-AbCdEf"


def awslogs(prefix: str = "web", **options: str) -> dict[str, Any]:
    """Give a log configuration that most tasks have."""
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "/ecs/schoolapp-backend",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": prefix,
            **options,
        },
    }


def web(**members: Any) -> dict[str, Any]:
    """Give the service's container."""
    return {
        "name": "web",
        "image": IMAGE,
        "essential": True,
        "portMappings": [{"containerPort": 3000, "protocol": "tcp"}],
        "environment": [
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "PARAM_HOST_PATH", "value": "/schoolapp/dev/db_host"},
            {"name": "EMPTY", "value": ""},
        ],
        "logConfiguration": awslogs(),
        **members,
    }


def task(*containers: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Give a RegisterTaskDefinition request for Fargate."""
    return {
        "family": "schoolapp-backend",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "executionRoleArn": EXECUTION,
        "taskRoleArn": TASK,
        "containerDefinitions": list(containers),
        **members,
    }


DEFINITIONS: dict[str, dict[str, Any]] = {
    "a sidecar that came first": task(
        {
            "name": "nginx",
            "image": "public.ecr.aws/nginx/nginx:1.27",
            "essential": True,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "dependsOn": [{"containerName": "web", "condition": "HEALTHY"}],
            "command": ["nginx", "-g", "daemon off;"],
            "logConfiguration": awslogs("nginx"),
        },
        web(
            healthCheck={
                "command": ["CMD-SHELL", "curl -f http://localhost:3000/healthz || exit 1"],
                "interval": 10,
                "timeout": 3,
                "retries": 5,
                "startPeriod": 20,
            }
        ),
    ),
    "EFS volumes": task(
        web(
            mountPoints=[
                {"sourceVolume": "uploads", "containerPath": "/uploads", "readOnly": False},
                {"sourceVolume": "scratch", "containerPath": "/tmp/work"},
                {"sourceVolume": "models", "containerPath": "/models", "readOnly": True},
            ],
        ),
        volumes=[
            {
                "name": "uploads",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0123456789abcdef0",
                    "transitEncryption": "ENABLED",
                    "authorizationConfig": {
                        "accessPointId": "fsap-0123456789abcdef0",
                        "iam": "ENABLED",
                    },
                },
            },
            {
                "name": "models",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0fedcba9876543210",
                    "rootDirectory": "/models",
                },
            },
            {"name": "scratch"},
        ],
        ephemeralStorage={"sizeInGiB": 40},
    ),
    "firelens": task(
        web(
            logConfiguration={
                "logDriver": "awsfirelens",
                "options": {
                    "Name": "opensearch",
                    "Host": "logs.example.com",
                    "Port": "443",
                    "tls": "On",
                },
                "secretOptions": [{"name": "HTTP_Passwd", "valueFrom": f"{SSM}/log_password"}],
            }
        ),
        {
            "name": "log_router",
            "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable",
            "essential": True,
            "firelensConfiguration": {
                "type": "fluentbit",
                "options": {"enable-ecs-log-metadata": "true"},
            },
            "memoryReservation": 50,
            "user": "0",
            "logConfiguration": awslogs("firelens"),
        },
    ),
    "init containers": task(
        {
            "name": "migrate",
            "image": IMAGE,
            "essential": False,
            "command": ["python", "-m", "service.migrate"],
            "environment": [{"name": "LOG_LEVEL", "value": "debug"}],
            "logConfiguration": awslogs("migrate"),
        },
        web(
            dependsOn=[{"containerName": "migrate", "condition": "SUCCESS"}],
            startTimeout=120,
            stopTimeout=90,
        ),
    ),
    "limits and devices": task(
        web(
            ulimits=[
                {"name": "nofile", "softLimit": 65536, "hardLimit": 65536},
                {"name": "core", "softLimit": 0, "hardLimit": 0},
            ],
            linuxParameters={
                "initProcessEnabled": True,
                "tmpfs": [{"containerPath": "/run", "size": 64, "mountOptions": ["noexec"]}],
                "capabilities": {"add": ["SYS_PTRACE"]},
            },
            systemControls=[{"namespace": "net.core.somaxconn", "value": "4096"}],
            cpu=256,
            memory=900,
            memoryReservation=512,
            user="1000:1000",
            readonlyRootFilesystem=True,
            workingDirectory="/srv/app",
            entryPoint=["/sbin/tini", "--"],
            command=["gunicorn", "-b", "0.0.0.0:3000", "service.wsgi:app"],
            dockerLabels={"team": "school", "com.example.tier": "web"},
            interactive=False,
            pseudoTerminal=True,
        ),
    ),
    "secrets in every form": task(
        web(
            environment=[
                {"name": "AWS_REGION", "value": "us-east-1"},
                {"name": "PARAM_HOST_PATH", "value": "/schoolapp/dev/db_host"},
                {"name": "DB_SECRET_ARN", "value": SECRET},
                {"name": "spring.profiles.active", "value": "prod"},
            ],
            secrets=[
                {"name": "DB_NAME", "valueFrom": "/schoolapp/dev/db_name"},
                {"name": "DB_USER", "valueFrom": f"{SSM}/db_user"},
                {"name": "DB_PASSWORD", "valueFrom": f"{SECRET}:password::"},
            ],
            repositoryCredentials={"credentialsParameter": SECRET},
        ),
    ),
    "App Mesh": task(
        web(dependsOn=[{"containerName": "envoy", "condition": "HEALTHY"}]),
        {
            "name": "envoy",
            "image": "840364872350.dkr.ecr.us-east-1.amazonaws.com/aws-appmesh-envoy:v1",
            "essential": True,
            "user": "1337",
            "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/school/virtualNode/w"}],
            "healthCheck": {"command": ["CMD-SHELL", "curl -s localhost:9901/server_info"]},
            "logConfiguration": awslogs("envoy"),
        },
        proxyConfiguration={
            "type": "APPMESH",
            "containerName": "envoy",
            "properties": [
                {"name": "IgnoredUID", "value": "1337"},
                {"name": "ProxyIngressPort", "value": "15000"},
                {"name": "ProxyEgressPort", "value": "15001"},
                {"name": "AppPorts", "value": "3000"},
                {"name": "EgressIgnoredIPs", "value": "169.254.170.2,169.254.169.254"},
            ],
        },
    ),
    "ARM with service connect": task(
        web(
            portMappings=[
                {"name": "http", "containerPort": 3000, "protocol": "tcp", "appProtocol": "http"},
                {"name": "metrics", "containerPort": 9000, "protocol": "tcp"},
                {"containerPort": 8125, "protocol": "udp"},
            ],
            environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::school-config/web.env"}],
        ),
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        pidMode="task",
        enableFaultInjection=True,
    ),
    "plain text that ought to be secret": task(
        web(
            environment=[
                {"name": "LOG_LEVEL", "value": "info"},
                {"name": "API_TOKEN", "value": "canary-token"},
                {"name": "BROKER", "value": "amqp://app:canary-broker@mq.example.com:5672/"},
            ],
            command=["serve", "--password", "canary-argument", "--port", "3000"],
        ),
        {
            "name": "agent",
            "image": "public.ecr.aws/datadog/agent:7",
            "essential": False,
            "environment": [
                {"name": "DD_API_KEY", "value": "canary-sidecar"},
                {"name": "DD_SITE", "value": "datadoghq.eu"},
            ],
            "logConfiguration": {
                "logDriver": "splunk",
                "options": {
                    "splunk-token": "canary-option",
                    "splunk-url": "https://splunk.example",
                },
            },
            "dockerLabels": {"secret": "canary-label"},
            "restartPolicy": {"enabled": True, "ignoredExitCodes": [0]},
        },
    ),
    "as little as there can be": {
        "family": "schoolapp-backend",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": EXECUTION,
        "containerDefinitions": [{"name": "app", "image": IMAGE}],
    },
}


def definition(name: str, digest: str) -> dict[str, Any]:
    """Give a request with an image of our repository, the one with `digest` (without `sha256:`)."""
    made = copy.deepcopy(DEFINITIONS[name])
    for container in made["containerDefinitions"]:
        container["image"] = container["image"].replace("{digest}", digest)
    return made


def as_ecs_tells(request: dict[str, Any]) -> dict[str, Any]:
    """Give the definition as DescribeTaskDefinition answers: with ECS's own defaults in it.

    Source: answers of ECS to what was registered for Fargate; the API reference's defaults.
    """
    family = request["family"]
    told = {
        "taskDefinitionArn": f"arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:7",
        "revision": 7,
        "status": "ACTIVE",
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": 1793523600.0,
        "registeredBy": "arn:aws:iam::123456789012:user/ann",
        "enableFaultInjection": False,
        **copy.deepcopy(request),
    }
    told["volumes"] = [_volume(each) for each in told["volumes"]]
    told["containerDefinitions"] = [_told_container(e) for e in told["containerDefinitions"]]
    return told


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    if "efsVolumeConfiguration" not in volume:
        return {"host": {}, **volume}
    return {
        **volume,
        "efsVolumeConfiguration": {"rootDirectory": "/", **volume["efsVolumeConfiguration"]},
    }


def _told_container(container: dict[str, Any]) -> dict[str, Any]:
    told = {
        "cpu": 0,
        "essential": True,
        "portMappings": [],
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
    }
    told["portMappings"] = [
        {"hostPort": each["containerPort"], "protocol": "tcp", **each}
        for each in told["portMappings"]
    ]
    # In the order in which ECS happens to give it, which is not that of the request.
    told["environment"] = told["environment"][::-1]
    if "healthCheck" in told:
        told["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **told["healthCheck"]}
    if "logConfiguration" in told:
        told["logConfiguration"] = {"secretOptions": [], **told["logConfiguration"]}
    if "linuxParameters" in told:
        told["linuxParameters"] = {"devices": [], "tmpfs": [], **told["linuxParameters"]}
    return told
