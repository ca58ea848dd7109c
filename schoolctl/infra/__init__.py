"""The CloudFormation stack of an environment's infrastructure."""
