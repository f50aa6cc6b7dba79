"""`gateway requests`: what happened to a request."""

from gateway.cli.requests.show import command

__all__ = ["command"]
