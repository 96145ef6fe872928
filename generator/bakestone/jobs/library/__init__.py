"""`versions`, `search` and `component`: the library and what is added to it."""
