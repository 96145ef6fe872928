"""Variants and lock in, Dockerfiles and bake file out."""
