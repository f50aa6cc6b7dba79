"""`gateway maintenance`: closes all routes for a while."""

from gateway.cli.maintenance.command import command

__all__ = ["command"]
