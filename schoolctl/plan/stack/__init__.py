"""The CloudFormation stack of an environment: its template, its changes, its events. Pure."""
