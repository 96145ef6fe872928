"""How packages are installed: apt, dnf, pip."""
