"""The ECS API: services, tasks, revisions, deployments."""
