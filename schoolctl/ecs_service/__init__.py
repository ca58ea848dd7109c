"""The ECS service: its definition, its rollouts, its status, its tasks."""
