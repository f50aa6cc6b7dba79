"""admin/listener.py: what is found by templates of paths and by methods."""

import aiohttp
import pytest
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import AdminListener
from tests.unit.admin.asked import raw


async def test_resources_are_found_by_path_and_method_and_need_the_token(
    admin: AdminListener, client: aiohttp.ClientSession
) -> None:
    async def show(request: web.BaseRequest) -> web.Response:
        return json_reply(200, {"path": request.path})

    admin.resources |= {"/things": {"GET": show}, "/things/{id}/parts": {"GET": show, "POST": show}}
    admin.token = "sesame"
    bearer = {"Authorization": "Bearer sesame"}
    for method, path in (("GET", "/things"), ("POST", "/things/a/parts"), ("GET", "/things/b/parts")):
        async with client.request(method, path) as reply:
            assert reply.status == 401
        async with client.request(method, path, headers=bearer) as reply:
            assert (reply.status, await reply.json()) == (200, {"path": path})
    async with client.put("/things/a/parts", headers=bearer) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")
    for path in ("/things/a", "/things//parts", "/things/a/parts/b", "/other/a/parts"):
        async with client.get(path, headers=bearer) as reply:
            assert reply.status == 404
            assert "/things/{id}/parts" in (await reply.json())["paths"]


@pytest.mark.parametrize("line", ["OPTIONS *", "CONNECT host:1"])
async def test_what_is_no_path_is_not_found(admin: AdminListener, line: str) -> None:
    reply = await raw(admin, f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 404 ")
