"""gateway limits show, gateway limits reset"""

import http.client
import json
from typing import Any
from urllib.parse import urlencode

import click

from gateway.cli.admin_client import address_option, ask, refused, token_option
from gateway.cli.tables import aligned
from gateway.kernel.key_format import PREFIX
from gateway.kernel.units import format_duration

QUOTAS = ("quota", "kind", "scope", "max", "per", "used", "left", "opens in", "routes")
HEADER = ("limit", "methods", "scope", "max", "per", "guarantee", "used", "left", "full in")
WITHIN_S = 10.0


def key_id(_: click.Context, __: click.Parameter, value: str) -> str:
    """Refuses what is a secret: it would stand in the shell's history, and has no business in a URL."""
    if value.startswith(PREFIX):
        raise click.BadParameter("this looks like the secret of a key; write its id, which the configuration and the log have")
    return value


organization_option = click.option(
    "--organization", default="", metavar="ORG", help="On whose behalf.  [default: the key's first organisation]"
)


@click.command()
@click.argument("key", metavar="KEY", callback=key_id)
@organization_option
@address_option("--admin")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="For people, or for programs.")
def show(key: str, organization: str, admin: str, output: str) -> None:
    """Say what a key has used of its limits.

    KEY is its id. The gateway that is asked looks it up at no cost.
    """
    told = _asked(admin, "GET", _about("/limits", key=key, organization=organization))
    click.echo(json.dumps(told, indent=2) if output == "json" else _for_people(told))


@click.command()
@click.argument("key", metavar="KEY", callback=key_id)
@click.option("--quota", default="", metavar="ID", help="Begin this quota anew, and leave rates as they are.")
@organization_option
@address_option("--admin")
@token_option
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="For people, or for programs.")
def reset(key: str, quota: str, organization: str, admin: str, token: str, output: str) -> None:
    """Give a key all of its limits back, or one quota.

    KEY is its id. What it shares, with its organisation or with all callers of a route, stays as it is, and so do quotas,
    unless one is named, as `limits show` has it: it begins anew, for all who share it.
    """
    told = _asked(admin, "POST", _about("/limits/reset", key=key, organization=organization, quota=quota), token)
    click.echo(
        json.dumps(told, indent=2) if output == "json" else f"reset: {', '.join(told['reset']) or 'the key has no limits of its own'}"
    )


def _about(path: str, **about: str) -> str:
    """With what is said of it."""
    return f"{path}?{urlencode({name: value for name, value in about.items() if value})}"


def _asked(admin: str, method: str, path: str, token: str = "") -> dict[str, Any]:
    status, body = ask(admin, method, path, WITHIN_S, option="--admin", token=token)
    if status != http.client.OK:
        refused(admin, status, body)
    try:
        told: dict[str, Any] = json.loads(body)
        if "key" in told:
            return told
    except (ValueError, TypeError):
        pass
    raise click.ClickException(f"what answers at {admin} is no gateway")


def _for_people(told: dict[str, Any]) -> str:
    who = [f"key {told['key']}", *([f"organization {told['organization']}"] if told["organization"] else []), f"plan {told['plan']}"]
    limits = [*told["limits"], *(limit for route in told["routes"] for limit in route["limits"])]
    table = aligned(HEADER, [_row(limit) for limit in limits]) if limits else "no limits"
    quotas = [aligned(QUOTAS, [_quota(quota) for quota in told["quotas"]])] if told["quotas"] else []
    return "\n".join([f"{', '.join(who)}; counted by {told['store']}", table, *filter(None, map(_costs, told["routes"])), *quotas])


def _costs(route: dict[str, Any]) -> str:
    """Nothing where a call costs 1."""
    other = [f"{method} {cost}" for method, cost in route["cost"].items() if cost != 1]
    return f"a call costs on route {route['id']}: {', '.join(other)}" if other else ""


def _row(limit: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(limit["id"], ",".join(limit.get("methods", ())) or "-", limit["scope"], str(limit["max"]), format_duration(limit["per_seconds"])),
        *(limit["guarantee"], f"{limit['used']}/{limit['burst']}", str(limit["remaining"]), f"{limit['full_in_seconds']:.1f}s"),
    )


def _quota(quota: dict[str, Any]) -> tuple[str, ...]:
    opens_s = quota["opens_in_seconds"]
    return (
        *(quota["id"], quota["kind"], quota["scope"], str(quota["max"]), quota.get("per", "-"), str(quota["used"])),
        *(str(quota["remaining"]), "-" if opens_s is None else _span(opens_s), ",".join(quota.get("routes", ())) or "-"),
    )


def _span(seconds: float) -> str:
    unit_s, name = next((unit for unit in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= 2 * unit[0]), (1, "s"))
    return f"{seconds / unit_s:.1f}{name}"
