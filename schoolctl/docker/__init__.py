"""The Docker engine, builders, build contexts and registries."""
