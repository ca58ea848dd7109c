"""AWS: one module for each service; our types in, our types out."""
