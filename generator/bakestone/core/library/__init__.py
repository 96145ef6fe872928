"""The component library: components and their versions."""
