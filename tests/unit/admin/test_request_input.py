import asyncio
import json
from typing import Any

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from gateway.admin.request_input import (
    MOST_BODY_BYTES,
    BadRequestError,
    check_parameters,
    json_object,
    limit_in,
)


async def read(body: bytes, **fields: str) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    content.feed_data(body)
    content.feed_eof()
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return await json_object(make_mocked_request("POST", "/keys", headers, payload=content))


def request(query: str) -> web.BaseRequest:
    return make_mocked_request("GET", f"/x{query}")


async def test_a_body_is_one_object() -> None:
    assert await read(b"") == {}
    assert await read(b'{"a": [1, {"b": null}]}', Content_Type="Application/JSON; charset=utf-8") == {
        "a": [1, {"b": None}]
    }
    assert await read(b"{}", Content_Type="application/merge-patch+json") == {}
    assert await read(b'{"a": -1.5e3, "b": "\\ud83d\\ude00"}') == {"a": -1500.0, "b": "\U0001f600"}


@pytest.mark.parametrize(
    ("body", "fields", "status", "text"),
    [
        (b"[]", {}, 400, "the body is no JSON object"),
        (b"{", {}, 400, "the body is not valid JSON"),
        (b"\xff", {}, 400, "the body is not valid JSON"),
        (b'{"a": NaN}', {}, 400, "NaN is no number of JSON"),
        (b'{"a": -1e999}', {}, 400, "-1e999 is out of range"),
        (b'{"a": "\\ud800"}', {}, 400, "surrogates not allowed"),
        (b'{"\\udfff": 1}', {}, 400, "surrogates not allowed"),
        (b'{"a": 1, "a": 2}', {}, 400, "two members of one name"),
        (b'{"a": ' + b"[" * 20_000, {}, 400, "the body is not valid JSON"),
        (json.dumps({"a": "x" * MOST_BODY_BYTES}).encode(), {}, 413, "longer than 65536 bytes"),
        (b"a=1", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "send the body as application/json"),
        (b"{}", {"Content_Encoding": "gzip"}, 415, "without a content coding"),
    ],
)
async def test_other_bodies_are_refused(body: bytes, fields: dict[str, str], status: int, text: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        await read(body, **fields)
    assert refused.value.status == status
    assert text in str(refused.value)


def test_parameters_have_to_be_known() -> None:
    check_parameters(request("?a=1"), ("a", "b"))
    with pytest.raises(BadRequestError, match="no parameter `c`; there are a, b"):
        check_parameters(request("?c=1"), ("a", "b"))
    with pytest.raises(BadRequestError, match="no parameter `c`; there is none here"):
        check_parameters(request("?c=1"))


def test_limits_are_bounded() -> None:
    assert (limit_in(request(""), 10, 20), limit_in(request("?limit=20"), 10, 20)) == (10, 20)
    for wrong in ("0", "21", "-1", "%c2%b2", "x", "", "0000001"):
        with pytest.raises(BadRequestError, match="limit: write a number from 1 to 20"):
            limit_in(request(f"?limit={wrong}"), 10, 20)
