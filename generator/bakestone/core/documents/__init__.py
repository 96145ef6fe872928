"""YAML documents with positions, schemas, templates, edits."""
