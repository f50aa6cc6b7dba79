"""openapi/publish/page.py: the files of the page, and where it finds the document."""

import re
from importlib.resources import files

import pytest

from gateway.openapi.publish.page import page_files
from gateway.settings import parse
from gateway.settings.schema.config import DOCS_FILES

FOLDER = files("gateway.openapi.publish") / "page"


REST = """
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: a, upstream: u, match: {path: /v1}}]
"""


def page(server: str) -> str:
    config = parse(f"version: 1\nserver: {server}\nauth: {{key: {{header: X-Key}}}}\n{REST}")
    assert config.server.docs_path is not None
    return page_files(config)[config.server.docs_path].body.decode()


@pytest.mark.parametrize(
    ("server", "found"),
    [
        (
            "{openapi_path: /openapi.json, docs_path: /docs, limits_path: /limits}",
            ['data-document="openapi.json"', 'data-limits="limits"', 'href="./docs/page.css"', 'src="./docs/page.js"'],
        ),
        ("{openapi_path: /openapi.json, docs_path: /a/b}", ['data-document="../openapi.json"', 'href="./b/page.css"']),
        ("{openapi_path: /a/api.json, docs_path: /}", ['data-document="a/api.json"', 'href="./page.css"']),
        (
            "{openapi_path: /a.json, docs_path: /b&c}",
            ['href="./b&amp;c/page.css"', 'data-limits=""', 'data-key="X-Key"'],
        ),
    ],
)
def test_paths_are_relative_to_the_page(server: str, found: list[str]) -> None:
    text = page(server)
    assert [each for each in found if each not in text] == []
    assert "{{" not in text


def test_without_a_path_there_is_no_page() -> None:
    assert page_files(parse("version: 1\nserver: {openapi_path: /openapi.json}\n" + REST)) == {}


def test_everything_that_it_loads_is_served() -> None:
    assert {each.name for each in FOLDER.iterdir()} == {"page.html", *DOCS_FILES}
    found = page_files(parse("version: 1\nserver: {openapi_path: /openapi.json, docs_path: /docs}\n" + REST))
    assert set(found) == {"/docs", *(f"/docs/{name}" for name in DOCS_FILES)}
    for name in DOCS_FILES:
        text = found[f"/docs/{name}"].body.decode()
        assert set(re.findall(r'from "\./([^"]+)"', text)) <= set(DOCS_FILES)


def test_nothing_becomes_html() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert way not in text, (file.name, way)
