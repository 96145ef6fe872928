"""`archive create`: what is wanted, fetched and kept."""
