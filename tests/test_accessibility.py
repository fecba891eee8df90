"""Who sees little, or reads by ear or by keyboard, can use every page."""

import pytest

from tests.browser import chromium, open_page, settle
from tests.streamlit_server import Server, browser_arguments

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

LEVELS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# While a page is drawn anew, what may be about to go is pale.
SETTLED = """() => [...document.querySelectorAll("[data-testid=stElementContainer]")]
    .every(element => getComputedStyle(element).opacity === "1")"""
# What has to be there before a page is judged: what it shows when there is something to show.
PAGES = {
    "": lambda page: page.get_by_role("button", name="Try the sample").wait_for(),
    "photo": lambda page: (
        page.get_by_text("Sample", exact=True).click(),
        page.get_by_role("button", name="Read two portraits").click(),
        page.locator(".fer-face caption").first.wait_for(),
    ),
    "video": lambda page: page.get_by_role("button", name="Use the sample").wait_for(),
    "how": lambda page: page.get_by_role("heading", name="Whom the data shows").wait_for(),
}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_wcag_that_a_program_can_check(
    scheme: str, server: Server
) -> None:
    broken = []
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, server.url, color_scheme=scheme)
        for name, fill in PAGES.items():
            page.goto(f"{server.url}/{name}")
            fill(page)
            settle(page)
            page.mouse.move(5, 5)  # nothing is hovered over
            page.wait_for_function(SETTLED)
            result = axe.Axe().run(page, options=LEVELS)
            for violation in result.response["violations"]:
                spots = [node["html"][:200] for node in violation["nodes"]]
                broken.append((name or "live", violation["help"], spots))
    assert not broken
