"""A real Chromium or Firefox, and what a visitor does in it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import missing
from tests.streamlit_server import CHROMIUM, FIREFOX
from tests.waiting import PATIENCE_S

PATIENCE_MS = 1000 * PATIENCE_S
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

_COMPONENT = "iframe[title^=streamlit_webrtc]"
# Firefox counts a stream's frames in its own way only.
_FRAMES = """(video => video.mozPaintedFrames ?? video.getVideoPlaybackQuality().totalVideoFrames)(
  document.querySelector("video"))"""


def chromium(*arguments: str) -> AbstractContextManager[Any]:
    """Chromium; the test is skipped where there is none."""
    return _launched("chromium", CHROMIUM, args=list(arguments))


def firefox(preferences: Mapping[str, bool | int]) -> AbstractContextManager[Any]:
    """Firefox as Debian has it, with lines of ``about:config``."""
    return _launched(
        "firefox", FIREFOX, channel="moz-firefox", firefox_user_prefs=dict(preferences)
    )


@contextmanager
def _launched(kind: str, program: Path, **options: Any) -> Iterator[Any]:
    if not program.exists():
        missing(f"there is no {program}")
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PATIENCE_MS)
    with sync_api.sync_playwright() as playwright:
        browser = getattr(playwright, kind).launch(executable_path=program, **options)
        try:
            yield browser
        except Exception:
            _tell(browser)
            raise
        finally:
            browser.close()


def _tell(browser: Any) -> None:
    """Print what the pages show when a test fails."""
    for page in (page for context in browser.contexts for page in context.pages):
        for frame in page.frames:
            try:
                text = frame.locator("body").inner_text(timeout=5_000)
            except Exception as error:  # it may hang, or be gone: that is told as well
                text = repr(error)
            print(f"--- {frame.url}\n{text}")


def open_page(browser: Any, url: str, script: str = "", **options: Any) -> Any:
    """A visitor's tab that shows an address; the script runs in it before the page's own."""
    page = browser.new_context(**{"viewport": DESK, **options}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    if script:
        page.add_init_script(script)
    page.goto(url)
    return page


def settle(page: Any) -> None:
    """Wait until the page's script has come to its end, and nothing is about to be replaced."""
    connected = "[data-test-connection-state=CONNECTED]"
    page.locator(f"{connected}[data-test-script-state=notRunning]").wait_for()


def upload(page: Any, files: Any) -> None:
    """Give files to the page's one place for them."""
    from playwright.sync_api import expect

    settle(page)
    place = page.locator("input[type=file]")
    expect(place).to_have_count(1)  # for a moment there are the last one and the next
    place.set_input_files(files)


def fetch(page: Any, name: str, folder: Path) -> Path:
    """Download the file of a name into a folder; the button's key is that name."""
    button = page.locator(f".st-key-{name.replace('.', '-')} button")
    button.wait_for()
    settle(page)  # the run that draws it anew takes back what the old one would have fetched
    with page.expect_download() as given:
        button.click()
    assert given.value.suggested_filename == name
    given.value.save_as(folder / name)
    return folder / name


# The live page


def press(page: Any, name: str) -> None:
    """Press START or STOP."""
    page.frame_locator(_COMPONENT).get_by_role("button", name=name).click()


def try_sample(page: Any) -> None:
    """Press the button below START, once that is there: it moves the button as it comes."""
    page.frame_locator(_COMPONENT).get_by_role("button", name="START").wait_for()
    settle(page)
    page.get_by_role("button", name="Try the sample").click()


def start(page: Any) -> Any:
    """Press START, wait for the picture and return the frame that holds it."""
    press(page, "START")
    holder = component(page)
    # A function: a string would be what a proxy's policy forbids.
    holder.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    return holder


def component(page: Any) -> Any:
    """The frame that holds START and the picture."""
    return page.locator(_COMPONENT).element_handle().content_frame()


def says_happy(page: Any) -> None:
    """Wait until the panel does, of the stream that runs and not of one before it."""
    page.get_by_text("Frames a second").first.wait_for()
    page.locator(".fer-face caption", has_text="happy").first.wait_for()
    page.locator(".fer-face tr.top th", has_text="happy").first.wait_for()


def see_frames(holder: Any, count: int) -> None:
    """Wait until so many more frames have come back.

    Whether or not a browser without a GPU found the time to paint them.
    """
    before = holder.evaluate(f"() => {_FRAMES}")
    holder.wait_for_function(f"() => {_FRAMES} >= {before + count}")
