"""console/page.py: the files of the page are small, need nothing from elsewhere, and run nothing that is not theirs."""

import json
import re
from importlib.resources import files
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.listener import View
from gateway.console.page import page_views
from gateway.net.static_files import PAGE_POLICY
from tests.unit.supervisor.test_status import snapshot

STATIC = {each.name: each.read_text() for each in files("gateway.console").joinpath("static").iterdir()}
MOST_BYTES = 60_000


@pytest.fixture
def pages() -> dict[str, View]:
    return page_views(lambda: snapshot("http://a"))


async def shown(view: View, path: str, **fields: str) -> web.Response:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return cast(web.Response, await view(make_mocked_request("GET", path, headers=headers)))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/console.css", "text/css"),
        ("/console.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
async def test_files_are_served_with_a_tag_and_a_strict_policy(pages: dict[str, View], path: str, kind: str) -> None:
    reply = await shown(pages[path], path)
    assert (reply.status, reply.content_type) == (200, kind)
    assert reply.headers["Content-Security-Policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    again = await shown(pages[path], path, If_None_Match=reply.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, None, reply.headers["ETag"])
    assert (await shown(pages[path], path, If_None_Match='"other"')).status == 200


def test_the_page_is_small_and_whole() -> None:
    assert sum(len(text.encode()) for text in STATIC.values()) < MOST_BYTES
    assert {*re.findall(r"https?://[^\"'` ]+", "".join(STATIC.values()))} == {"http://www.w3.org/2000/svg"}


def test_there_is_nothing_inline_and_no_text_becomes_markup() -> None:
    page = STATIC["index.html"]
    assert re.findall(r"<script[^>]*>", page) == ['<script src="console.js" defer>']
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
    script = STATIC["console.js"]
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", script)
        == []
    )
    assert re.findall(r"localStorage|sessionStorage|document\.cookie|indexedDB", script) == []


async def test_the_faults_are_explained_as_the_configuration_has_them(pages: dict[str, View]) -> None:
    reply = await shown(pages["/faults"], "/faults")
    assert isinstance(reply.body, bytes)
    faults = json.loads(reply.body)["faults"]
    assert (faults["rate_limited"]["status"], faults["rate_limited"]["code"]) == (429, 8000)
    assert all(each["message"] and each["developer_message"] and each["source"] for each in faults.values())
