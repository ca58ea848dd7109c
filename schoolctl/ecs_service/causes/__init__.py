"""Why a task or a rollout failed: causes and fixes."""
