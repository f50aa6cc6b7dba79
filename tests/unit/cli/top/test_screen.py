"""cli/top/screen.py: an overview as text."""

from typing import Any

from rich.console import Console

from gateway.cli.top.overview import GatewayPages, Overview, TopTable, overview
from gateway.cli.top.screen import KEYS, screen
from tests.unit.cli.top.pages import error, history, measures, near


def shown(found: Overview, table: TopTable = "routes", *, keys: bool = False) -> str:
    console = Console(width=140, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(screen(found, table, "requests", keys=keys))
    return captured.get()


def test_everything_is_shown_and_nothing_moves_the_cursor() -> None:
    tables: dict[str, Any] = {
        "routes": [
            {"route": "orders\x1b[2J", **measures(60, 6, 3, 2, p95=12.34)},
            {"route": "idle", **measures(0, p95=None)},
        ],
        "near_limits": [near("acme-ci", 3)],
        "errors": [error(503, 60)],
    }
    targets = [{"url": "http://a", "state": "down", "since": "2026-11-30T01:59:00.000Z"}]
    upstreams = {"upstreams": [{"id": "u", "circuit": {"state": "open"}, "targets": targets}]}
    page = GatewayPages("a:1", history(**tables), {"workers": [{"redis": {"up": False}}]}, upstreams)
    text = shown(
        overview([page, GatewayPages("b:1", history(), None, None, {"status": "ready"})], ["c:1: gone"], 10, "requests")
    )
    assert "20.0 requests/s  5xx 1.0 %  4xx 10.0 %  limited 1.0/s" in text
    assert "a:1  10.0/s  not ready  redis away" in text
    assert "b:1  10.0/s  ready\n" in " ".join(text.split(" "))
    lines = [line.split() for line in text.splitlines()]
    assert ["orders\\x1b[2J", "1.0", "5.0", "%", "10.0", "%", "0.0", "12.3", "12.3", "12.3"] in lines
    assert ["idle", "0.0", "0.0", "%", "0.0", "%", "0.0", "-", "-", "-"] in lines
    assert ["acme-ci", "-", "minute", "3/300"] in lines
    assert ["503", "1004", "gateway", "upstream_refused", "1.0"] in lines
    assert "not asked: c:1: gone" in text
    assert "u: circuit open, says a:1" in text
    assert "u http://a: down since 2026-11-30T01:59:00.000Z, says a:1" in text
    assert "\x1b" not in text


def test_a_quiet_gateway_has_no_empty_tables_and_keys_are_explained_where_there_are_any() -> None:
    found = overview([GatewayPages("a:1", history())], [], 10, "requests")
    assert "near their limits" not in shown(found)
    assert KEYS not in shown(found)
    text = shown(found, "keys", keys=True)
    assert KEYS in text
    assert "keys by requests" in text
