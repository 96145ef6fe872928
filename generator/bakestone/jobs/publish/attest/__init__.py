"""SBOM and provenance."""
