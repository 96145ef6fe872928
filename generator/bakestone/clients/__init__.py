"""The world: one folder a service."""
