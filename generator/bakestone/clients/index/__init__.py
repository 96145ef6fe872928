"""Package indexes of Python: where pip looks for wheels, and what a page of an index lists."""
