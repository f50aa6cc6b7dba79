"""Who asks the admin listener for a change."""

import re

from aiohttp import web

from gateway.audit.records import Actor
from gateway.net.address import UNIX

OPERATOR = "X-Gateway-Operator"
"""The field in which commands say which user runs them. It is not proved: who has the token may write anything."""
TOKEN = "admin.token"  # noqa: S105 - its name in the configuration
_OPERATOR = re.compile(r"[\w.@ -]{1,100}", re.ASCII)


def actor_of(request: web.BaseRequest) -> Actor:
    """Return the owner of the token, with the user as the client names it, and the client's address."""
    operator = request.headers.get(OPERATOR, "")
    who = f"{TOKEN} ({operator})" if _OPERATOR.fullmatch(operator) else TOKEN
    return Actor(who, request.remote or UNIX)
