"""`archive serve`: an archive as the hosts it came from."""
