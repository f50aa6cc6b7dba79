"""Nothing that was made for one caller reaches another one, unless route and service both allow it.

The service answers each call with who has called, on behalf of whom and with which fields. Cache-Control, Vary,
Authorization, cookies, times and callers are random; what every client gets is compared with what it may get.
"""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import Share
from gateway.upstream.call import Answer, Call
from tests.cached_gateway import (
    JSON,
    ORGANIZATIONS,
    CachedService,
    Time,
    ask,
    cache_rules,
    cached_gateway,
    cached_route,
    got,
)

DIRECTIVES = st.sampled_from(
    [
        *("public", "private", "no-store", "no-cache", "max-age=60", "max-age=0", "s-maxage=60", "must-revalidate"),
        *("stale-if-error=600", "stale-while-revalidate=600", 'private="x"', "MAX-AGE=5", "max-age=x", "", "immutable"),
    ]
)
CONTROL = st.lists(DIRECTIVES, max_size=4).map(", ".join)
VARY = st.sampled_from(["", "", "X-Lang", "x-lang, Accept", "*", "Authorization", "Cookie", "X-Api-Key", "X-Caller-Id"])
REQUEST_FIELDS = st.lists(
    st.sampled_from(
        [
            *(("X-Lang", "de"), ("X-Lang", "en"), ("Accept", "a"), ("Authorization", "one"), ("Authorization", "two")),
            *(("Cookie", "s=1"), ("Cookie", "s=2"), ("Cache-Control", "no-cache"), ("Cache-Control", "no-store")),
            ("If-None-Match", '"t"'),
        ]
    ),
    max_size=3,
    unique_by=lambda field: field[0],
)
STEP = st.tuples(
    st.lists(st.tuples(st.sampled_from(sorted(ORGANIZATIONS)), REQUEST_FIELDS), min_size=1, max_size=5),
    CONTROL,
    VARY,
    st.booleans(),
    st.sampled_from([0, 1, 30, 100]),
    st.sampled_from([200, 200, 200, 404, 500]),
)
IDENTITY = ("authorization", "cookie")


class Mirror(CachedService):
    """Answers with what it was asked."""

    control = vary = ""
    cookie = False

    async def send(self, call: Call) -> Answer:
        await asyncio.sleep(0)
        head = b"".join(call.head)
        lines = [line.partition(": ") for line in head.decode().split("\r\n") if line]
        asked = {name.lower(): value for name, _, value in lines}
        content = {"asked": asked, "control": self.control, "vary": self.vary, "cookie": self.cookie}
        fields = [JSON, (b"cache-control", self.control.encode()), (b"vary", self.vary.encode()), (b"etag", b'"t"')]
        if self.cookie:
            fields.append((b"set-cookie", b"s=9"))
        if b"If-None-Match" in head and self.status == 200:
            return Answer(304, fields, b"", None, 0, "t")
        body = json.dumps(content).encode()
        return Answer(self.status, fields, body, None, len(body), "t")


def check(content: dict[str, Any], key: str, fields: list[tuple[str, str]], share: Share) -> None:
    """That a reply with the content `content`, made for one request, may be given to another one."""
    asked, own = content["asked"], {name.lower(): value for name, value in fields}
    maker = asked["x-caller-id"]
    control = Directives.of(content["control"])
    shared = maker != key
    if shared:
        assert share != "key"
        if ORGANIZATIONS[maker] is None or ORGANIZATIONS[maker] != ORGANIZATIONS[key]:
            assert share == "public"
            assert control.keys() & {"public", "s-maxage", "must-revalidate"}
        assert "x-api-key" not in content["vary"].lower()
        assert "x-caller-id" not in content["vary"].lower()
        assert not content["cookie"]
        assert "private" not in control
        assert "no-store" not in control
    for name in IDENTITY:
        assert asked.get(name) == own.get(name)
    for name in content["vary"].lower().split(", "):
        if name in {"x-lang", "accept"} and not ("no-store" in control or content["vary"] == "*"):
            assert asked.get(name) == own.get(name)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["organization", "key", "public"]),
    st.sampled_from([None, 30.0]),
    st.sampled_from([(), ("x-lang",), ("authorization",)]),
    st.lists(STEP, min_size=1, max_size=8),
)
def test_no_reply_crosses_callers(share: Share, ttl_s: float | None, vary: tuple[str, ...], steps: list[Any]) -> None:
    async def run() -> None:
        time, service = Time(), Mirror()
        rules = cache_rules(share=share, ttl_s=ttl_s, vary=vary, stale_while_revalidate_s=20.0, stale_if_error_s=50.0)
        one = cached_gateway(cached_route(service, rules), time=time)
        for requests, service.control, service.vary, service.cookie, waits_s, service.status in steps:
            time.now_s += waits_s
            exchanges = [(key, fields, ask(key, *fields)) for key, fields in requests]
            replies = await asyncio.gather(*[got(one, x) for _, _, x in exchanges])
            for (key, fields, x), reply in zip(exchanges, replies, strict=True):
                assert dict(reply.fields)["X-Request-Id"] == x.request_id
                if reply.status in (200, 404):
                    body = json.loads(reply.body)
                    assert body["requestId"] == x.request_id
                    if reply.status == 200:
                        check(body["data"]["result"], key, fields, share)
            assert one.cache.stores["orders"].bytes <= rules.max_bytes

    asyncio.run(run())
