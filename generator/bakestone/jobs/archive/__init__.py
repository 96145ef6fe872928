"""An archive of all that a build fetches, for places without a network."""
