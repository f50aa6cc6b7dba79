"""Checks the rules for pages in browsers, as routes have them with what they inherit."""

from gateway.kernel.http.cors import ANY, OWN_FIELDS
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.cors import CorsOverrides, CorsSettings
from gateway.settings.schema.routing import HeaderRules


def check_cors(context: CheckContext) -> None:
    """Report rules that browsers ignore, that have no effect, or that contradict those for header fields."""
    config = context.config
    defaults = config.defaults.cors
    _rules(context, ("defaults", "cors"), defaults, defaults)
    if defaults.origins:
        _set_fields(context, ("defaults", "headers", "response"), config.defaults.headers.response)
    for loc, route in context.entries("routes", config.routes):
        merged = config.cors_of(route)
        if route.cors.model_fields_set:
            _rules(context, (*loc, "cors"), route.cors, merged)
        if merged.origins:
            _set_fields(context, (*loc, "headers", "response"), route.headers.response)


def _rules(context: CheckContext, loc: Loc, own: CorsSettings | CorsOverrides, merged: CorsSettings) -> None:
    if not merged.origins:
        if own.model_fields_set - {"origins"}:
            context.report(loc, "of no use without `origins`", "name them, or write `*`", at_key=True)
        return
    if merged.credentials:
        for name in ("origins", "headers", "expose"):
            if ANY in getattr(merged, name):
                at = next(field for field in (name, "credentials", "origins") if field in own.model_fields_set)
                context.report(
                    (*loc, at),
                    f"`{ANY}` in `{name}` and `credentials` do not go together in browsers",
                    "name each of them",
                )


def _set_fields(context: CheckContext, loc: Loc, rules: HeaderRules) -> None:
    for name in rules.set:
        if name.lower().startswith(OWN_FIELDS[:-1].lower()):
            context.report((*loc, "set", name), f"`{name}` is written by `cors`", "leave it out here", at_key=True)
