"""Hostile input by the hundred thousand: `make campaign`; a seeded slice of it in `make test`."""
