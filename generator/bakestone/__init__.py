"""Bakestone: one YAML matrix in, pinned Dockerfiles and verified images out."""

__version__ = "0.1.0"
