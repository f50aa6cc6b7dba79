"""Warns of listeners and upstreams that are more open than they may be meant to be, and of limits of one node only."""

from gateway.settings.checks.context import CheckContext

_EVERYWHERE = ("0.0.0.0:", "[::]:", "*:")


def check_security(context: CheckContext) -> None:
    """Report addresses, certificates and limits."""
    config = context.config
    everywhere = str(config.admin.address).startswith(_EVERYWHERE)
    if everywhere and config.admin.token is None:
        text = "whoever reaches this machine can read the configuration in force, metrics and the limits of all keys"
        hint = "write an address that only operators reach, and `token`, which changes ask for"
        context.warn("W008", ("admin", "address"), text, hint)
    for loc, upstream in context.entries("upstreams", config.upstreams):
        if not upstream.tls.verify:
            text = "whoever is between the gateway and this service can read and change what they say"
            context.warn("W009", (*loc, "tls", "verify"), text, "name the authority in `ca`")
    if config.redis is None and any(listener.trusted_proxies for listener in config.server.listeners):
        text = "behind a load balancer with several nodes, each of them would count limits by itself"
        context.warn("W012", ("server", "listeners"), text, "add `redis`, where they count together")
