"""Deploy, wait, roll back, and the verdict on a rollout."""
