"""`base`: base images from Debian packages."""
