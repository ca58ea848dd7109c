"""The checks of `schoolctl doctor`, a module for each subject."""
