"""`gateway audit`: shows who has changed what."""

from gateway.cli.audit.command import command

__all__ = ["command"]
