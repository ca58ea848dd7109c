"""Images: built, pushed, pulled, promoted, listed and pruned."""
