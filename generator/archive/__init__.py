"""Everything that a selection is built from, in one OCI layout: made, checked, given back to a build without a network."""
