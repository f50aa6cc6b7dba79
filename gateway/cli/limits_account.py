"""The commands `gateway limits show` and `gateway limits reset`."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode

import click

from gateway.cli.admin_client import address_option, exit_with_errors, request, token_option
from gateway.cli.tables import aligned, output_option
from gateway.kernel.key_format import PREFIX
from gateway.kernel.units import format_duration

QUOTAS = ("quota", "kind", "scope", "max", "per", "used", "left", "opens in", "routes")
HEADER = ("limit", "methods", "scope", "max", "per", "guarantee", "used", "left", "full in")
WITHIN_S = 10.0


def key_id(_: click.Context, __: click.Parameter, value: str) -> str:
    """Reject the secret of a key, which must not appear in a URL."""
    if value.startswith(PREFIX):
        raise click.BadParameter(
            "this looks like the secret of a key; write its id, which the configuration and the log have"
        )
    return value


organization_option = click.option(
    "--organization", default="", metavar="ORG", help="On whose behalf.  [default: the key's first organisation]"
)


@click.command()
@click.argument("key", metavar="KEY", callback=key_id)
@organization_option
@address_option("--admin")
@output_option
def show(key: str, organization: str, admin: str, output: str) -> None:
    """Say what a key has used of its limits.

    KEY is its id. The gateway that is asked looks it up at no cost.
    """
    account = _requested(admin, "GET", _path("/limits", key=key, organization=organization))
    click.echo(json.dumps(account, indent=2) if output == "json" else _text(account))


@click.command()
@click.argument("key", metavar="KEY", callback=key_id)
@click.option("--quota", default="", metavar="ID", help="Begin this quota anew, and leave rates as they are.")
@organization_option
@address_option("--admin")
@token_option
@output_option
def reset(key: str, quota: str, organization: str, admin: str, token: str, output: str) -> None:
    """Give a key all of its limits back, or one quota.

    KEY is its id. What it shares, with its organisation or with all callers of a route, stays as it is, and so do
    quotas, unless one is named, as `limits show` has it: it starts again for all callers that share it.
    """
    done = _requested(admin, "POST", _path("/limits/reset", key=key, organization=organization, quota=quota), token)
    click.echo(
        json.dumps(done, indent=2)
        if output == "json"
        else f"reset: {', '.join(done['reset']) or 'the key has no limits of its own'}"
    )


def _path(path: str, **parameters: str) -> str:
    """Return `path` with the parameters that are not empty as its query."""
    return f"{path}?{urlencode({name: value for name, value in parameters.items() if value})}"


def _requested(admin: str, method: str, path: str, token: str = "") -> dict[str, Any]:
    status, body = request(admin, method, path, WITHIN_S, option="--admin", token=token)
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    try:
        reply: dict[str, Any] = json.loads(body)
        if "key" in reply:
            return reply
    except (ValueError, TypeError):
        pass
    raise click.ClickException(f"what answers at {admin} is no gateway")


def _text(account: dict[str, Any]) -> str:
    organization = [f"organization {account['organization']}"] if account["organization"] else []
    who = [f"key {account['key']}", *organization, f"plan {account['plan']}"]
    limits = [*account["limits"], *(limit for route in account["routes"] for limit in route["limits"])]
    table = aligned(HEADER, [_row(limit) for limit in limits]) if limits else "no limits"
    quotas = [aligned(QUOTAS, [_quota(quota) for quota in account["quotas"]])] if account["quotas"] else []
    costs = [*filter(None, map(_costs, account["routes"]))]
    return "\n".join([f"{', '.join(who)}; counted by {account['store']}", table, *costs, *quotas])


def _costs(route: dict[str, Any]) -> str:
    """Return the costs that are not 1; "" if there are none."""
    other = [f"{method} {cost}" for method, cost in route["cost"].items() if cost != 1]
    return f"a call costs on route {route['id']}: {', '.join(other)}" if other else ""


def _row(limit: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(
            limit["id"],
            ",".join(limit.get("methods", ())) or "-",
            limit["scope"],
            str(limit["max"]),
            format_duration(limit["per_seconds"]),
        ),
        *(
            limit["guarantee"],
            f"{limit['used']}/{limit['burst']}",
            str(limit["remaining"]),
            f"{limit['full_in_seconds']:.1f}s",
        ),
    )


def _quota(quota: dict[str, Any]) -> tuple[str, ...]:
    opens_s = quota["opens_in_seconds"]
    return (
        *(quota["id"], quota["kind"], quota["scope"], str(quota["max"]), quota.get("per", "-"), str(quota["used"])),
        *(
            str(quota["remaining"]),
            "-" if opens_s is None else _span(opens_s),
            ",".join(quota.get("routes", ())) or "-",
        ),
    )


def _span(seconds: float) -> str:
    unit_s, name = next((unit for unit in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= 2 * unit[0]), (1, "s"))
    return f"{seconds / unit_s:.1f}{name}"
