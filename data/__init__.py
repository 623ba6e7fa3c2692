"""The memory: settings, errors, logs, pure domain types and every line of SQL. Imports nothing of ours."""
