"""Start a project: schoolctl.yaml, its configuration and its profiles."""
