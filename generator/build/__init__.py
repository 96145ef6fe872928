"""From Dockerfiles to images in a registry: buildx, its progress, chunks, publishing."""
