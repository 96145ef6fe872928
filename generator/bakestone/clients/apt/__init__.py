"""apt archives by HTTP: lists of packages."""
