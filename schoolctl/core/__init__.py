"""What every command is made of: the run, the shared options, the executor, the lock."""
