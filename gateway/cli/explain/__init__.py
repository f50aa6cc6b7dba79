"""`gateway explain`: what the gateway would do with a request."""

from gateway.cli.explain.command import command

__all__ = ["command"]
