"""Checks what routes do with whole replies against the rest of them."""

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.routing import RouteSettings


def check_replies(context: CheckContext) -> None:
    """Report caches and idempotency keys that no caller could use."""
    for loc, route in context.entries("routes", context.config.routes):
        if route.cache is not None:
            _cache(context, (*loc, "cache"), route)
        if route.idempotency is not None:
            _idempotency(context, (*loc, "idempotency"), route)


def _idempotency(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    if not {"POST", "PATCH"} & set(route.match.methods):
        context.report(loc, "of no use: only POST and PATCH have idempotency keys", at_key=True)
    elif route.auth == "none":
        text = "needs callers with a key, who have idempotency keys of their own; `auth: none` asks for none"
        context.report(loc, text, at_key=True)
    elif context.raw("redis") is None:
        text = "without `redis` the replies are in the memory of one process, and a reload or restart forgets them"
        context.warn("W020", loc, text, "add `redis`")


def _cache(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    if not {"GET", "HEAD"} & set(route.match.methods):
        context.report(loc, "of no use: only replies to GET and HEAD are kept", at_key=True)
    share = None if route.cache is None else route.cache.share
    if route.auth == "none" and share not in (None, "public"):
        text = f"`{share}` needs a caller with a key, and `auth: none` asks for none"
        context.report((*loc, "share"), text, "leave it out, or write `public`")
