"""The page of the admin listener that describes all others, as an OpenAPI document."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from aiohttp import web

from gateway import __version__
from gateway.admin.connection import json_reply

PATH = "/openapi.json"


@cache
def admin_api() -> dict[str, Any]:
    """Return the document. Raises nothing: it is part of the program."""
    text = files("gateway.admin").joinpath("openapi.yaml").read_bytes()
    document: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    document["info"]["version"] = __version__
    return document


async def describe(_: web.BaseRequest) -> web.Response:
    """Show the document."""
    return json_reply(200, admin_api())
