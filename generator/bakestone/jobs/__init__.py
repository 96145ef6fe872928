"""One folder a job; none knows another."""
