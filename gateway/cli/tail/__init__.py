"""`gateway tail`: follows access lines."""

from gateway.cli.tail.command import command

__all__ = ["command"]
