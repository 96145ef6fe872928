"""The lock: what is needed, what is pinned, how old it may be."""
