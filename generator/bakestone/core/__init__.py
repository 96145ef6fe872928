"""What is pure: same input, same bytes."""
