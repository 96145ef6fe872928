"""`outdated`, `lock --check --max-age` and `bump`: what is old and what is newer."""
