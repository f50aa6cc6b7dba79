"""The operator's page in a real browser: what a newcomer finds there, and what can be changed from it.

The first four tests are the questions of somebody who has never seen the gateway: each is answered by the page alone.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Page, ViewportSize, async_playwright, expect

from tests.architecture.files import ROOT
from tests.fakes import reply
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHROMIUM = "/usr/bin/chromium"
AXE = ROOT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
TOKEN = "token-of-the-admin-listener"
SMALL = "gw_test_key_of_the_nightly_import"
WITHIN_MS = 20_000
DESKTOP, PHONE, ZOOMED = (ViewportSize(width=w, height=h) for w, h in ((1280, 900), (390, 844), (640, 450)))
SERIOUS = ("serious", "critical")


class Console(NamedTuple):
    """The page, the gateway behind it, the requestId of a call that failed, and errors of the browser."""

    page: Page
    gateway: GatewayProcess
    failed: str
    out: str
    problems: list[str]


def sections(service: int, limit: int) -> dict[str, str]:
    return {
        "admin": f'{{address: "127.0.0.1:0", token: "{TOKEN}"}}',
        "organizations": "[{id: acme}, {id: umbrella}]",
        "plans": f"[{{id: unlimited, limits: []}}, {{id: trial, limits: [{{id: minute, max: {limit}, per: 1m}}]}}]",
        "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}, "
        f"{{id: nightly-import, secret_sha256: {digest(SMALL)}, organizations: [umbrella], plan: trial}}]",
        "upstreams": f'[{{id: orders, targets: [{{url: "http://127.0.0.1:{service}"}}, {{url: "http://127.0.0.1:1"}}], '
        "outlier_detection: {consecutive_failures: 1, base_ejection_time: 4m}}, "
        '{id: billing, targets: [{url: "http://127.0.0.1:1"}]}]',
        "observability": "{capture: {on: [5xx]}}",
        "routes": "[{id: orders, match: {prefix: /v1/orders}, upstream: orders}, "
        "{id: invoices, match: {prefix: /v1/invoices}, upstream: billing}]",
    }


async def ask(client: RawClient, path: str, key: str) -> dict[str, Any]:
    await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n\r\n".encode())
    answer = await client.reply()
    return {**json.loads(answer.body), "http": answer.status}


async def happen(gateway: GatewayProcess) -> str:
    """Let a target fail, a key be limited and a call fail; return the requestId of the latter."""
    client = await RawClient.connect(gateway.port)
    for _ in range(30):
        await ask(client, "/v1/orders", KEY)
    for _ in range(5):
        await ask(client, "/v1/orders", SMALL)
    failed = await ask(client, "/v1/invoices/1", KEY)
    client.close()
    assert failed["http"] == 503
    return str(failed["requestId"])


async def post(gateway: GatewayProcess, path: str) -> None:
    status, text = await asyncio.to_thread(gateway.admin, path, "POST", {"Authorization": f"Bearer {TOKEN}"})
    assert status == 200, text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    async with Service() as service, async_playwright() as playwright:
        service.on("/v1/orders", reply(b"{}"))
        with running(configuration(0, **sections(service.port, 2)), folder) as gateway:
            failed = await happen(gateway)
            (folder / "gateway.yaml").write_text(configuration(0, **sections(service.port, 3)))
            await post(gateway, "/reload?wait")
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            try:
                problems: list[str] = []
                page = await browser.new_page(viewport=DESKTOP)
                page.set_default_timeout(WITHIN_MS)
                expect.set_options(timeout=WITHIN_MS)
                page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
                page.on("pageerror", lambda error: problems.append(str(error)))
                await page.goto(f"http://127.0.0.1:{gateway.admin_port}/")
                yield Console(page, gateway, failed, "http://127.0.0.1:1", problems)
            finally:
                await browser.close()


async def reads(console: Console, part: str, *texts: str | re.Pattern[str]) -> None:
    for text in texts:
        await expect(console.page.locator(part)).to_contain_text(text)


async def test_why_a_request_failed(console: Console) -> None:
    await console.page.fill("#request-id", "that one")
    await console.page.keyboard.press("Enter")
    await reads(console, "#found", "That is no requestId")
    await console.page.fill("#request-id", console.failed)
    await console.page.keyboard.press("Enter")
    why = "The service refused the connection."
    await reads(console, "#found", "It failed with 503 (code 1004)", why, "127.0.0.1:1", "GET /v1/invoices/1", "tester")


async def test_which_caller_is_limited_and_by_what(console: Console) -> None:
    await reads(console, "#attention", "nightly-import was refused 3 times by the limit “minute”")
    await reads(console, "#limits", "nightly-import")
    await console.page.click("[data-part=refusals] button.link")
    await reads(console, "#account", "Plan trial, organisation umbrella", "3 per minute")


async def test_which_target_is_out_and_since_when(console: Console) -> None:
    row = re.compile(r"gets no calls, since \d\d:\d\d:\d\d \(.+\), because: upstream refused, for another")
    await reads(console, "[data-part=targets]", "http://127.0.0.1:1", row)
    await reads(console, "#attention", re.compile("ejected" + ".*" + "orders: http://127.0.0.1:1"))


async def test_what_the_last_reload_changed(console: Console) -> None:
    await reads(console, "#reloads", "A new configuration came into force.", "limit minute of plan trial: max 2 -> 3")


async def test_what_callers_send_is_shown_as_text(console: Console) -> None:
    client = await RawClient.connect(console.gateway.port)
    await ask(client, "/<img/src=x/onerror=document.title='broken'>", KEY)
    client.close()
    await console.page.check("input[value='4xx']")  # reads at once
    await reads(console, "[data-part=recent]", "onerror=document.title")
    assert await console.page.locator("main img").count() == 0
    assert "broken" not in await console.page.title()


@pytest.mark.parametrize(("size", "colours"), [(DESKTOP, "light"), (PHONE, "dark")])
async def test_everybody_can_read_it(console: Console, size: ViewportSize, colours: Any) -> None:
    page = console.page
    await page.set_viewport_size(size)
    await page.emulate_media(color_scheme=colours)
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"] if each["impact"] in SERIOUS] == []


@pytest.mark.parametrize("size", [PHONE, ZOOMED, DESKTOP])
async def test_nothing_has_to_be_scrolled_sideways(console: Console, size: ViewportSize) -> None:
    await console.page.set_viewport_size(size)
    assert await console.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_the_browser_has_nothing_to_complain_about(console: Console) -> None:
    assert console.problems == []


async def confirm(page: Page, **fields: str) -> None:
    """Fill in the dialog and confirm it by the keyboard."""
    for name, value in fields.items():
        await page.fill(f"#dialog input[name={name}]", value)
    await page.focus("#dialog-confirm")
    await page.keyboard.press("Enter")


async def change(page: Page, button: str, **fields: str) -> None:
    """Make a change that succeeds."""
    await page.click(button)
    await confirm(page, **fields)
    await expect(page.locator("#dialog")).not_to_be_visible()


async def test_nothing_is_changed_without_the_token_and_a_confirmation(console: Console) -> None:
    page = console.page
    await page.focus(f"[aria-label='Return {console.out}']")
    await page.keyboard.press("Enter")
    await expect(page.locator("#dialog")).to_contain_text(f"Return {console.out}?")
    await page.keyboard.press("Escape")
    await expect(page.locator("#dialog")).not_to_be_visible()
    await page.click(f"[aria-label='Return {console.out}']")
    await confirm(page, token="wrong")
    await expect(page.locator("#dialog-error")).to_contain_text("that is not the admin.token")
    await page.click("#dialog-cancel")
    assert (
        '"state":"up"'
        not in (await asyncio.to_thread(console.gateway.admin, "/targets"))[1].partition(console.out)[2][:40]
    )


async def test_with_the_token_targets_limits_and_the_gateway_are_changed(console: Console) -> None:
    page = console.page
    await change(page, "#unlock", token=TOKEN)
    await expect(page.locator("#unlock")).to_have_text("Lock changes")
    await change(page, f"[aria-label='Return {console.out}']")
    await change(page, f"[aria-label='Eject {console.out}']", **{"for": "5m"})
    await reads(console, "[data-part=targets]", "because: by an operator, for another 5 min")
    await change(page, "[aria-label='Reset the limits of nightly-import']")
    await change(page, "[data-key=maintenance]", message="We move house")
    await reads(console, "#attention", "All routes answer 503: “We move house”")
    await change(page, "[data-key=maintenance]")
    await change(page, "[data-key=reload]")
    await reads(console, "[data-part=maintenance]", "Routes are served.")
    actions = ("targets.return", "targets.eject", "limits.reset", "maintenance.switch", "reload")
    await reads(console, "[data-part=audit]", *actions)
    for action in actions:
        await console.gateway.line(lambda line, action=action: '"audit"' in line and f'"{action}"' in line)  # type: ignore[misc]


async def test_a_change_that_is_refused_says_why(console: Console) -> None:
    page = console.page
    await page.click("[data-part=refusals] button.link")
    await page.click("text=Disable the key")
    await confirm(page)
    await expect(page.locator("#dialog-error")).not_to_be_empty()
    await page.click("#dialog-cancel")


async def test_what_was_captured_of_a_failed_request_is_shown(console: Console) -> None:
    client = await RawClient.connect(console.gateway.port)
    failed = await ask(client, "/v1/invoices/2", KEY)
    client.close()
    page = console.page
    await page.fill("#request-id", str(failed["requestId"]))
    await page.keyboard.press("Enter")
    await change(page, "text=Show what was captured")
    await reads(console, "#captured", str(failed["requestId"]), "x-api-key", "***")
    await page.fill("#request-id", console.failed)  # of before the reload, which has emptied them
    await page.keyboard.press("Enter")
    await reads(console, "#found", "GET /v1/invoices/1")
    await page.click("text=Show what was captured")
    await confirm(page)
    await expect(page.locator("#dialog-error")).to_contain_text("nothing was captured of this request")
    await page.click("#dialog-cancel")


async def test_no_key_and_no_token_is_in_what_the_page_reads(console: Console) -> None:
    shown = await console.page.content()
    assert not any(secret in shown for secret in (KEY, SMALL, TOKEN))
    for path in (
        "/history?span=1h",
        "/targets",
        "/errors",
        "/reloads",
        "/limiter",
        "/audit",
        "/fleet",
        "/workers",
        "/faults",
    ):
        _, text = await asyncio.to_thread(console.gateway.admin, path)
        assert not any(secret in text for secret in (KEY, SMALL, TOKEN))


async def test_the_last_hour_outlives_a_worker_that_is_killed(console: Console) -> None:
    async def known(path: str) -> Any:
        return json.loads((await asyncio.to_thread(console.gateway.admin, path))[1])

    before = (await known("/history?span=1h"))["total"]["requests"]
    pids = {worker["pid"] for worker in (await known("/workers"))["workers"]}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await console.gateway.line(lambda line: '"worker ended"' in line)
    assert before > 0
    assert (await known("/history?span=1h"))["total"]["requests"] >= before
