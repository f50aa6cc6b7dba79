"""`gateway keys`: creates keys, and lists, changes and imports those that are kept in Redis."""

from gateway.cli.keys.create import command

__all__ = ["command"]
