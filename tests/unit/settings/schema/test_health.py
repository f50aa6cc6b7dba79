"""settings/schema/health.py: what may stand under `health`."""

import pytest

from gateway.settings import Config, ConfigError, parse
from gateway.settings.schema.health import Statuses


def read(health: str) -> Config:
    text = f"""version: 1
upstreams: [{{id: u, targets: [{{url: "http://a"}}], health: {{{health}}}}}]
routes: [{{id: r, match: {{prefix: /}}, upstream: u}}]
"""
    return parse(text)


def test_a_path_is_enough() -> None:
    health = read("path: /healthz?full=1").upstreams[0].health
    assert health is not None
    assert (health.path, health.interval, health.timeout, health.healthy, health.unhealthy) == (
        "/healthz?full=1",
        5.0,
        1.0,
        2,
        3,
    )
    assert health.expect == (Statuses(200, 399),)


def test_statuses() -> None:
    health = read("path: /, expect: [204, 301-399, '500']").upstreams[0].health
    assert health is not None
    assert [str(each) for each in health.expect] == ["204", "301-399", "500"]


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ("", "2:59 upstreams[0].health.path: missing"),
        (
            "path: healthz",
            "2:66 upstreams[0].health.path: `healthz` is not a path in printable ASCII that begins with `/`",
        ),
        ("path: '/a b'", "2:66 upstreams[0].health.path: `/a b` is not a path in printable ASCII that begins with `/`"),
        ("path: /, interval: 10ms", "2:79 upstreams[0].health.interval: `10ms` is too often; write `100ms` or more"),
        ("path: /, healthy: 0", "2:78 upstreams[0].health.healthy: must be 1 or more"),
        ("path: /, expect: []", "2:77 upstreams[0].health.expect: at least one is needed here"),
        *(
            (
                f"path: /, expect: [{wrong}]",
                f"2:78 upstreams[0].health.expect[0]: `{wrong}` is no range of statuses from 200 to 599; write one such as `204` or `200-399`",
            )
            for wrong in ("100", "600", "399-200", "200-", "2xx", "-200")
        ),
    ],
)
def test_what_is_refused(health: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(health)
    assert [
        f"{each.line}:{each.column} {each.path}: {each.text}" + (f"; {each.hint}" if each.hint else "")
        for each in caught.value.problems
    ] == [message]
