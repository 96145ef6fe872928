"""Variant + lock -> text: the Dockerfile, the bake file, the fingerprint. No network, no clock."""
