"""`gateway errors`: the catalogue of errors, and the last ones that happened."""

from gateway.cli.errors.catalogue import command
from gateway.cli.errors.recent import recent

command.add_command(recent)

__all__ = ["command"]
