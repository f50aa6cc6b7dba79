"""The page at `server.docs_path` in a real browser that reaches nothing but the gateway."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.openapi.importing import ImportOptions, routes_of
from gateway.openapi.load import load_document
from gateway.openapi.merging import merge
from tests.browser import chromium, press_until, serious_faults
from tests.contract_documents import DOCUMENTS
from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, counts, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

PETS = str(DOCUMENTS.resolve() / "pets.yaml")
ROUTES = merge("r", "", routes_of(load_document(PETS)[0], ImportOptions("backend", "", (), "enforce", PETS)).routes)
MANY = "".join(
    f'  - {{id: "things{number}", match: {{path: "/v1/area{number % 9}/{number}/{{id}}", methods: [GET]}}, upstream: backend}}\n'
    for number in range(300)
)
NARROW = "gw_test_key_that_may_only_list_pets"
SECTIONS = {
    "server": "{openapi_path: /openapi.json, docs_path: /docs, limits_path: /limits, drain_delay: 0s, "
    'listeners: [{id: public, address: "127.0.0.1:0"}]}',
    "plans": "[{id: some, limits: [{id: minute, max: 90, per: 1m}]}]",
    "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: some}}, "
    f"{{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: some, routes: [listPets]}}]",
    "routes": ROUTES.text.partition("routes:")[2].partition("x-imported:")[0] + MANY,
}
FILES = ("/docs", "/docs/page.css", "/docs/page.js", "/docs/calls.js", "/docs/elements.js", "/docs/schemas.js")
REX = b'[{"id": 12345678901234567890, "name": "<b>Rex</b>", "weight": 1.50}]'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        built.service.on("/api/pets", reply(REX))
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@contextmanager
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console says meanwhile, but for replies of 400 and more, which it lists, too."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda line: found.append(line.text) if line.type in {"error", "warning"} else None)
    yield found
    found[:] = [line for line in found if "the server responded with a status of" not in line]


async def opened(browser: Browser, here: Front) -> Page:
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    await page.emulate_media(reduced_motion="reduce")
    page.set_default_timeout(20_000)
    await page.goto(f"http://127.0.0.1:{here.gateway.port}/docs")
    await page.wait_for_selector("h1")
    return page


async def use_key(page: Page, key: str, operation: str = "listPets") -> None:
    await page.fill("#key", key)
    await page.press("#key", "Enter")
    await page.wait_for_selector(f'#list a[href="#{operation}"]', state="attached")


async def test_the_files_are_small_need_no_key_and_are_revalidated(here: Front) -> None:
    size = 0
    for path in FILES:
        answer = await ask(here.gateway, "GET", path, key=None)
        size += len(answer.body)
        policy = answer.field("Content-Security-Policy") or ""
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
        assert "unsafe" not in policy
        assert answer.field("X-RateLimit-Limit-Minute") == "300"
        known = await ask(here.gateway, "GET", path, f"If-None-Match: {answer.field('ETag')}", key=None)
        assert (answer.status, known.status, known.body) == (200, 304, b"")
    assert size < 60_000
    await counts(here.gateway, "gateway_requests_total", len(FILES), route="gateway.docs", code="304")
    assert counted(here.gateway, "gateway_requests_total", route="gateway.docs", code="304") == len(FILES)


async def test_by_keyboard_alone_a_call_is_made_and_its_envelope_read(here: Front, browser: Browser) -> None:
    page = await opened(browser, here)
    with complaints(page) as found:
        await press_until(page, "Tab", "#key")
        await page.keyboard.type(KEY)
        await page.keyboard.press("Enter")
        await page.wait_for_selector('#list a[href="#listPets"]')
        assert await page.inner_text("#count") == "304 operations"
        await press_until(page, "Tab", "#filter")
        await page.keyboard.type("get /api/pets")
        assert await page.inner_text("#count") == "2 of 304 operations"
        await press_until(page, "Tab", 'a[href="#listPets"]')
        await page.keyboard.press("Enter")
        await page.wait_for_selector("h1:focus")
        await press_until(page, "Tab", 'button:not([type="button"]).primary')
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".reply.good")
    envelope = json.loads(await page.inner_text(".reply pre"))
    assert (envelope["status"], envelope["data"]["result"][0]["name"]) == ("SUCCESS", "<b>Rex</b>")
    assert "12345678901234567890" in await page.inner_text(".reply pre")
    assert "1.50" in await page.inner_text(".reply pre")
    assert envelope["requestId"] in await page.inner_text(".reply .head")
    assert "of 90 in 60 s" in await page.inner_text("#limits")
    assert found == []
    assert KEY not in await page.content()
    assert KEY not in page.url
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


async def test_each_key_is_shown_what_it_may_use(here: Front, browser: Browser) -> None:
    page = await opened(browser, here)
    assert await page.inner_text("#count") == "1 operation"
    await use_key(page, NARROW)
    assert await page.inner_text("#count") == "2 operations"
    await page.check("#keep")
    await page.press("#key", "Enter")
    assert await page.evaluate("sessionStorage.length") == 1
    await page.reload()
    await page.wait_for_selector('#list a[href="#listPets"]')
    await page.uncheck("#keep")
    assert await page.evaluate("sessionStorage.length") == 0
    await page.fill("#key", "gw_unknown")
    await page.press("#key", "Enter")
    await page.wait_for_selector("text=1002: Invalid credentials")


async def test_an_error_is_explained_and_everybody_can_read_it(here: Front, browser: Browser) -> None:
    page = await opened(browser, here)
    with complaints(page) as found:
        await use_key(page, KEY)
        await page.fill("#filter", "pets")
        await page.evaluate("location.hash = '#createPet'")
        await page.fill("#body", '{"kind": "cow"}')
        await page.click("text=Send POST")
        shown = await page.inner_text(".reply.bad")
        assert "400 Bad Request" in shown
        assert "1001: Parameter not valid" in shown
        assert "body.name" in shown
        assert "This must be dog, cat or fish." in shown
        await page.click("text=What 1001 can mean")
        assert "413: The request body is larger" in await page.inner_text(".reply.bad")
        await page.click("text=All limits")
        await page.wait_for_selector("#limits >> text=createPet/document")
        await page.click("text=Errors (")
        for scheme, width in (("light", 1280), ("dark", 1280), ("dark", 640), ("light", 390)):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            if width == 1280:
                assert await serious_faults(page) == []
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    assert found == []


async def test_schemas_that_refer_to_themselves_cost_little_until_they_are_opened(
    here: Front, browser: Browser
) -> None:
    page = await opened(browser, here)
    sizes = await page.evaluate(
        """async () => {
            const { fields, sample } = await import("/docs/schemas.js")
            const names = [...Array(40).keys()].map((each) => `p${each}`)
            const properties = Object.fromEntries(names.map((name) => [name, { $ref: "#/components/schemas/A" }]))
            const api = { components: { schemas: { A: { type: "object", properties, required: names } } } }
            const shape = fields(api, { $ref: "#/components/schemas/A" })
            document.body.append(shape)
            const first = shape.querySelector("details"), closed = shape.querySelectorAll("li").length
            first.open = true
            await new Promise((done) => first.addEventListener("toggle", done))
            const example = sample(api, { $ref: "#/components/schemas/A" })
            return [closed, shape.querySelectorAll("li").length, Object.keys(example.p39).length, JSON.stringify(example).length]
        }"""
    )
    assert sizes[:3] == [40, 80, 40]
    assert sizes[3] < 500_000
    await page.close()
