"""Promises of each module, without network, Docker or a registry."""
