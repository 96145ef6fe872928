"""The Docker engine and BuildKit, through buildx."""
