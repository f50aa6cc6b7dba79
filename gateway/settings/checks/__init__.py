"""Checks of a configuration beyond its schema."""
