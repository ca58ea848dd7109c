"""The task definition and the service settings, and how they differ."""
