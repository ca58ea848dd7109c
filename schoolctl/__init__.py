"""schoolctl: build, push, seed and deploy one containerised web service on AWS."""

__version__ = "0.1.0"
