"""The command `gateway openapi`: routes from OpenAPI documents, and a document of the routes."""

from gateway.cli.openapi.commands import command

__all__ = ["command"]
