"""What stands beside an image in its index: an SBOM from the lock and the inventory, and BuildKit's provenance."""
