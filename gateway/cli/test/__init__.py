"""`gateway test`: cases for a configuration, for continuous integration."""

from gateway.cli.test.command import command

__all__ = ["command"]
