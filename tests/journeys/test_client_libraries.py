"""Client libraries of the contract against the gateway, before raw and before enveloped backends."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import End, Step, reply
from tests.gateway_process import KEY
from tests.journeys.backends import Front, front
from tests.journeys.client_libraries import LIBRARIES, ApiError, JavaLibrary, Library, PythonLibrary, read
from tests.journeys.service_replies import refused, service_reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEM = {"id": "a1", "name": "first", "big": 2**53 + 1, "description": "é"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front() as built:
        yield built


async def called(library: Library, method: str, path: str, body: object = None) -> object:
    return await asyncio.to_thread(library.call, method, path, body)


@pytest.mark.parametrize("enveloped", [False, True], ids=["raw", "enveloped"])
@pytest.mark.parametrize("name", LIBRARIES)
async def test_create_read_list_delete(here: Front, name: str, *, enveloped: bool) -> None:
    library = LIBRARIES[name](here.gateway.port, KEY)
    path = "/v1/items"
    here.service.on(path, service_reply(ITEM, enveloped=enveloped, status=b"201 Created"))
    assert await called(library, "POST", path, {"name": "first"}) == ITEM
    here.service.on(path, service_reply({"totalCount": 1, "items": [ITEM]}, enveloped=enveloped))
    assert await called(library, "GET", f"{path}?offset=0&limit=25") == {"totalCount": 1, "items": [ITEM]}
    here.service.on(path, service_reply({"id": "a1"}, enveloped=enveloped))
    assert await called(library, "DELETE", path) == {"id": "a1"}
    here.service.on(path, b"HTTP/1.1 204 No Content\r\n\r\n")
    assert await called(library, "DELETE", path) == {}
    here.service.on(path, reply(b""))
    assert await called(library, "GET", path) == {}
    library.close()


@pytest.mark.parametrize("enveloped", [False, True], ids=["raw", "enveloped"])
@pytest.mark.parametrize("name", LIBRARIES)
async def test_an_error_arrives_with_all_its_parts(here: Front, name: str, *, enveloped: bool) -> None:
    library = LIBRARIES[name](here.gateway.port, KEY)
    path = here.service.on("/v1/invalid", refused(b"400 Bad Request", 1000, enveloped=enveloped))
    with pytest.raises(ApiError) as caught:
        await called(library, "POST", path, {})
    error = caught.value
    assert (error.status, error.code, error.details) == (400, 1000, [("is required", "name")])
    assert error.args[0]
    assert error.developer_message
    assert error.links == ([("https://example.com/names", "names")] if enveloped else [])
    assert (await here.gateway.record("request_id", error.request_id))["http.response.status_code"] == 400
    library.close()


OWN_ERRORS: dict[str, tuple[str, str, tuple[Step, ...] | None, int, int]] = {
    "no route": ("GET", "/none", None, 404, 1005),
    "no method": ("OPTIONS", "/v1/x", None, 405, 1006),
    "garbage": ("GET", "/v1/garbage", (reply(b"{"),), 503, 1004),
    "hung up": ("POST", "/v1/hung-up", (End.RESET,), 503, 1004),
    "crash": ("GET", "/v1/crash", (reply(b"<html>", status=b"500 Error"),), 500, 1004),
    "too long": ("GET", "/v1/" + "a" * 9000, None, 414, 1001),
}


@pytest.mark.parametrize("case", OWN_ERRORS)
@pytest.mark.parametrize("name", LIBRARIES)
async def test_errors_of_the_gateway_are_read_as_those_of_the_api(here: Front, name: str, case: str) -> None:
    method, path, steps, status, code = OWN_ERRORS[case]
    if steps is not None:
        here.service.on(path, *steps)
    library = LIBRARIES[name](here.gateway.port, KEY)
    with pytest.raises(ApiError) as caught:
        await called(library, method, path)
    assert (caught.value.status, caught.value.code) == (status, code)
    library.close()


@pytest.mark.parametrize("name", LIBRARIES)
async def test_a_bad_key(here: Front, name: str) -> None:
    library = LIBRARIES[name](here.gateway.port, "unknown")
    with pytest.raises(ApiError) as caught:
        await called(library, "GET", "/v1/x")
    assert (caught.value.status, caught.value.code) == (401, 1002)
    library.close()


async def test_who_tries_again_at_every_broken_connection_never_has_to(here: Front) -> None:
    """A backend that cuts every connection is asked once for each call: a POST is not repeated by anybody."""
    for steps in (
        (End.RESET,),
        (End.CLOSE,),
        (b"HTTP/1.1 200 OK\r\nContent-Le", End.CLOSE),
        (reply(b'{"a":1}')[:-3], End.RESET),
    ):
        here.service.on("/v1/order", *steps)
        library = JavaLibrary(here.gateway.port, KEY)
        before = len(here.service.at("/v1/order"))
        with pytest.raises(ApiError) as caught:
            await called(library, "POST", "/v1/order", {"n": 1})
        assert (caught.value.status, caught.value.code) == (503, 1004)
        assert library.attempts == 1
        assert len(here.service.at("/v1/order")) == before + 1


async def test_redirects_are_followed_to_a_result(here: Front) -> None:
    here.service.on("/v1/new", reply(b'{"moved":true}'))
    here.service.on("/v1/old", b"HTTP/1.1 302 Found\r\nLocation: /v1/new\r\nContent-Length: 0\r\n\r\n")
    async with (
        aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session,
        session.get(f"http://127.0.0.1:{here.gateway.port}/v1/old") as found,
    ):
        assert read(found.status, await found.read()) == {"moved": True}
        assert [str(step.status) for step in found.history] == ["302"]


async def test_one_session_lives_through_errors_of_every_kind(here: Front) -> None:
    library = PythonLibrary(here.gateway.port, KEY)
    here.service.on("/v1/fine", reply(b"[1]"))
    for method, path in (("GET", "/none"), ("OPTIONS", "/v1/x"), ("POST", "/v1/hung-up"), ("DELETE", "/v1/%2e%2e/x")):
        here.service.on("/v1/hung-up", End.RESET)
        with pytest.raises(ApiError):
            await called(library, method, path)
        assert await called(library, "GET", "/v1/fine") == [1]
    library.close()


async def test_many_at_once_with_aiohttp(here: Front) -> None:
    here.service.on("/v1/fine", reply(b'{"a":1}'))
    url = f"http://127.0.0.1:{here.gateway.port}/v1/fine"
    async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session:

        async def call(method: str) -> object:
            async with session.request(method, url, json={"name": "x"}) as found:
                return read(found.status, await found.read())

        results = await asyncio.gather(*(call(method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE") * 20))
    assert results == [{"a": 1}] * 100
