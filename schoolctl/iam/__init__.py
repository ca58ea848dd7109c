"""IAM policies for commands, roles and a pipeline."""
