"""`gateway replay`: which calls of an access log would meet something else under another configuration."""

from gateway.cli.replay.command import command

__all__ = ["command"]
