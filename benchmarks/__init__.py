"""Benchmarks: always a ratio against something else, measured in the same run."""
