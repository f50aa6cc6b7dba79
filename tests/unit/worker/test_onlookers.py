"""worker/onlookers.py: who is shown what becomes of calls, and what they count."""

import asyncio
from pathlib import Path

import msgspec

from gateway.observe.metrics import Metrics
from gateway.openapi.compile import compile_contracts
from gateway.table.snapshot import compile_snapshot
from gateway.upstream.call import Answer
from gateway.worker.onlookers import onlookers_of
from tests.contract_documents import loaded
from tests.fakes import turn
from tests.scrape import scraped
from tests.unit.upstream.calls import call


async def test_what_they_see_is_counted_and_can_be_asked_for(tmp_path: Path) -> None:
    checked = "{id: all, upstream: pets, match: {path: /p}, response: {openapi: pets.yaml, operation: listPets}}"
    config = loaded(tmp_path, checked, "{id: other, upstream: pets, match: {path: /o}}")
    metrics = Metrics()
    onlookers, handlers = onlookers_of(compile_snapshot(config, None, "", *compile_contracts(config)), metrics)
    assert list(onlookers.samples) == ["all"]
    get = msgspec.structs.replace(call(), method=b"GET", head=(b"Host: a\r\n", b"X-Request-Id: r1\r\n"))
    onlookers.samples["all"](get, Answer(200, [(b"content-type", b"application/json")], b"{}", None, None, "a:1"))
    async with asyncio.timeout(10):
        while not (found := (await handlers["drift"]({}))[1]):
            await turn()
    (record,) = msgspec.to_builtins(found)
    assert (record["at"], record["kind"], record["request_id"]) == ("", "type", "r1")
    onlookers.mirrors.count("all", "same")
    assert await handlers["mirror"]({}) == (200, [])
    shown = scraped(metrics)
    for name in ("reply_drift", "replies_checked", "mirrored"):
        assert f"gateway_{name}_total{{".encode() in shown
