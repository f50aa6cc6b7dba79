"""`gateway mock`: the gateway in front of a service that is made from OpenAPI documents."""

from gateway.cli.mock.command import command

__all__ = ["command"]
