"""A real browser without a network, for pages, and what axe finds wrong with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

_AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
_ARGUMENTS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
_SERIOUS = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`)"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser, which is closed at the end. It reaches nothing but 127.0.0.1."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


async def serious_faults(page: Page) -> list[str]:
    """What axe-core says of a page, as far as it is serious."""
    await page.evaluate(_AXE.read_text())
    found: list[str] = await page.evaluate(_SERIOUS)
    return found


async def press_until(page: Page, key: str, selector: str, most: int = 60) -> None:
    """Press a key until the element that `selector` names has the focus."""
    for _ in range(most):
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{selector} does not get the focus")
