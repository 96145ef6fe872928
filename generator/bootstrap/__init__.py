"""Base images from a distro's package archive, where no registry has them: made by mmdebstrap, the same bytes each time."""
