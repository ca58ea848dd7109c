"""One-off tasks, and sessions in running containers."""
