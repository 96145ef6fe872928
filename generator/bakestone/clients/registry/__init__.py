"""OCI registries and image layouts."""
