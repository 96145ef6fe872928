"""images.yaml: families, axes and the variants they give."""
