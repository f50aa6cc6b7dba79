"""`gateway keys`: keys made here, kept in Redis, changed and imported."""

from gateway.cli.keys.create import command

__all__ = ["command"]
