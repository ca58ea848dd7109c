"""Parameters in SSM and secrets in Secrets Manager."""
