"""What `doctor` makes of what was observed: one judgement for each check. Pure."""
