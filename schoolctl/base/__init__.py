"""What everything may use: errors and exit codes, plans, the clock, signals, text."""
