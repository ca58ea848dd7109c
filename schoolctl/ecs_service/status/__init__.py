"""Status, tasks, events, history, logs and causes of failures."""
