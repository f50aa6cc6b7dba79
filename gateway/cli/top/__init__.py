"""`gateway top`: what gateways do at this moment, in a terminal."""

from gateway.cli.top.command import command

__all__ = ["command"]
