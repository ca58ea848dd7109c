"""The changes that a plan can make to the service and its tasks."""
