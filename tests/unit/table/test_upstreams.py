"""table/upstreams.py: what the configuration's upstreams become."""

import time
from pathlib import Path

import pytest

from gateway.kernel.clock import Clock
from gateway.observe.metrics import Metrics
from gateway.remote.outbox import Outbox
from gateway.remote.target import Target
from gateway.remote.upstream import Upstream
from gateway.settings import parse
from gateway.settings.pairs import PairError
from gateway.table.upstreams import build_upstreams
from tests.fakes import End, RawBackend, reply, script
from tests.unit.remote.calls import call

METRICS = Metrics()


def built(targets: str, more: str = "") -> Target | Upstream:
    config = parse(
        f"version: 1\nupstreams: [{{id: orders, targets: [{targets}]{more}}}]\nroutes: [{{id: r, match: {{prefix: /}}, upstream: orders}}]\n"
    )
    return build_upstreams(config, METRICS, Clock(time.monotonic, time.time), Outbox())["orders"]


def test_one_target_is_called_directly() -> None:
    target = built('{url: "http://127.0.0.1:3000/base", weight: 2}')
    assert isinstance(target, Target)
    assert repr(target) == "<Target orders 127.0.0.1:3000, 0 idle, 0 active, 0 pending>"


def test_of_several_one_is_chosen() -> None:
    upstream = built('{url: "http://10.0.1.11:8080", weight: 2}, {url: "https://encoding.internal:8443"}')
    assert isinstance(upstream, Upstream)
    assert [target.target for target in upstream.targets] == ["10.0.1.11:8080", "encoding.internal:8443"]


def test_files_that_are_of_no_use(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    config = parse('version: 1\nupstreams: [{id: u, targets: [{url: "https://a"}]}]\nroutes: [{id: r, match: {prefix: /}, upstream: u}]\n')
    tls = config.upstreams[0].tls.model_copy(update={"ca": str(tmp_path / "ca.pem")})
    upstream = config.upstreams[0].model_copy(update={"tls": tls})
    with pytest.raises(PairError, match=r"ca\.pem"):
        build_upstreams(config.model_copy(update={"upstreams": (upstream,)}), METRICS, Clock(time.monotonic, time.time), Outbox())


async def test_second_tries_are_counted() -> None:
    counter = METRICS.upstream_retries.labels("orders")
    async with RawBackend(script(reply()), script(End.CLOSE)) as backend:
        target = built(f'{{url: "{backend.url}"}}')
        for _ in range(2):
            await target.send(call())
        await target.close()
    assert counter.value == 1
