import json

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway import __version__
from gateway.admin.description_view import PATH, admin_api, describe


async def test_the_document_is_served_with_the_version_of_the_program() -> None:
    reply = await describe(make_mocked_request("GET", PATH))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    document = json.loads(reply.body)
    assert document == admin_api()
    assert (document["openapi"], document["info"]["version"]) == ("3.1.0", __version__)
