"""`lock`: names in, pins out."""
