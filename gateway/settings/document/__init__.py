"""YAML in, data with positions out."""
