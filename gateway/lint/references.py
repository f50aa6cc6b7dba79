"""Warns of what nothing refers to, and of keys that can do nothing."""

from fnmatch import fnmatchcase

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.routing import RouteSettings


def check_references(context: CheckContext, wall_s: float) -> None:
    """Report what is unused. `wall_s` is the Unix time by which keys expire.

    Keys in Redis may refer to anything, and so may the first key of a configuration that has none yet.
    """
    config = context.config
    leading = {route.upstream for route in config.routes}
    for loc, upstream in context.entries("upstreams", config.upstreams):
        if upstream.id not in leading:
            context.warn("W001", (*loc, "id"), f"no route leads to the upstream `{upstream.id}`", "delete it")
    if config.key_store is None and config.keys.plain:
        _unused_plans(context)
        _unused_organizations(context)
    for loc, key in context.entries("keys", config.keys.plain):
        if key.expires is not None and key.expires.timestamp() <= wall_s:
            context.warn("W004", (*loc, "expires"), f"the key `{key.id}` has expired", "delete it, or extend it")
        _usable(context, loc, key)


def _unused_plans(context: CheckContext) -> None:
    config = context.config
    used = {key.plan for key in config.keys.plain} | {route.plan for route in config.routes}
    used |= {config.plan_of(route).id for route in config.routes if route.auth == "none"}
    for loc, plan in context.entries("plans", config.plans):
        if plan.id not in used:
            context.warn("W002", (*loc, "id"), f"no key and no route has the plan `{plan.id}`", "delete it")


def _unused_organizations(context: CheckContext) -> None:
    used = {organization for key in context.config.keys.plain for organization in key.organizations}
    for loc, organization in context.entries("organizations", context.config.organizations):
        if organization.id not in used:
            text = f"no key belongs to the organisation `{organization.id}`"
            context.warn("W003", (*loc, "id"), text, "delete it, or add it to a key")


def _usable(context: CheckContext, loc: Loc, key: KeySettings) -> None:
    routes = [route for route in context.config.routes if route.auth == "key" and _may_use(key, route)]
    if key.routes is not None and not routes:
        context.warn("W005", (*loc, "routes"), f"the key `{key.id}` may use no route that asks for a key")
    elif key.methods is not None and not any(set(key.methods) & set(route.match.methods) for route in routes):
        context.warn("W005", (*loc, "methods"), f"the key `{key.id}` may use no method of its routes")


def _may_use(key: KeySettings, route: RouteSettings) -> bool:
    return key.routes is None or any(fnmatchcase(route.id, pattern) for pattern in key.routes)
