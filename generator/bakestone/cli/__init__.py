"""The commands: parse, call a job, print."""
