"""What is otherwise than at a commit: `bakestone diff`."""
