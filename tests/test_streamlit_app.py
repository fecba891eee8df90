"""The browser page, driven in a real Chromium by a camera with a known picture."""

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import supervision as sv
from streamlit.testing.v1 import AppTest

from fer import EXPRESSIONS
from fer.expressions import EXPRESSION_NAMES
from fer.rows import COLUMNS, read_rows
from fer.web import advice, seats
from fer.web.sample import SAMPLE_VIDEO
from tests.streamlit_server import (
    CHROMIUM,
    FACE,
    ROOT,
    Server,
    browser_arguments,
    portrait,
    running_page,
    write_camera_film,
)

PATIENCE_MS = 60_000
HAPPY = EXPRESSION_NAMES.index("happy")
HAPPY_BGR = sv.Color.from_hex(EXPRESSIONS[HAPPY].color).as_bgr()
BACK_AGAIN_S = 60

GRAB = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 480];  // a busy browser sends a smaller picture
  canvas.getContext("2d").drawImage(video, 0, 0, 640, 480);
  return canvas.toDataURL("image/png").split(",")[1];
}"""
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
# Frames that came back, whether or not a browser without a GPU found the time to paint them.
COUNT_FRAMES = """(seconds) => new Promise((done) => {
  const video = document.querySelector("video"), start = performance.now();
  const frames = () => video.getVideoPlaybackQuality().totalVideoFrames, before = frames();
  setTimeout(() => done((frames() - before) / (performance.now() - start) * 1000), seconds * 1000);
})"""
COUNT_REFRESHES = """(seconds) => new Promise((done) => {
  const shown = () => document.querySelector(".fer-face")?.outerHTML;
  const times = [];
  let last = shown();
  const watch = () => { if (shown() !== last) { last = shown(); times.push(performance.now()); } };
  new MutationObserver(watch).observe(document.body,
    { subtree: true, childList: true, characterData: true, attributes: true });
  setTimeout(() => done(times.length / seconds), seconds * 1000);
})"""


# Nothing may reach over the right edge of the page, but what scrolls by itself.
FITS = """() => [document.documentElement, document.querySelector(".stMain")]
  .every((one) => one.scrollWidth <= innerWidth)"""
BARS_ARE_BELOW = """() => {
  const video = document.querySelector("iframe[title^=streamlit_webrtc]");
  const bars = document.querySelector(".fer-face");
  const [above, below] = [video, bars].map((one) => one.getBoundingClientRect());
  return above.height && below.height && below.top >= above.bottom;
}"""
# What the page gives to the component, and what that asks the browser for.
KEEP_WISHES = """
window.wishes = [];
addEventListener("message", ({ data }) => { if (data.args) window.given = data.args; });
if (navigator.mediaDevices) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wish) => { window.wishes.push(wish); return ask(wish); };
}
"""
NO_CAMERA = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=device-count=0",
]
HEAD = portrait()[FACE[1] : FACE[3], FACE[0] : FACE[2]]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_camera_film(tmp_path_factory.mktemp("camera") / "astronaut.y4m")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_page(tmp_path_factory.mktemp("page") / "log.txt") as page:
        yield page


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    if not CHROMIUM.exists():
        message = f"There is no {CHROMIUM}."
        pytest.fail(message) if os.environ.get("FER_REQUIRE_ALL") == "1" else pytest.skip(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(arguments))
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Any, url: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    return page


def press(page: Any, name: str) -> None:
    page.frame_locator("iframe[title^=streamlit_webrtc]").get_by_role("button", name=name).click()


def start(page: Any) -> Any:
    """Press START, wait for the picture and return the frame that holds it."""
    press(page, "START")
    holder = component(page)
    holder.wait_for_function("document.querySelector('video')?.videoWidth > 0")
    return holder


def component(page: Any) -> Any:
    """The frame that holds START and the picture."""
    return next(frame for frame in page.frames if "streamlit_webrtc" in frame.url)


def says_happy(page: Any) -> None:
    page.locator(".fer-face caption", has_text="happy").first.wait_for()
    page.locator(".fer-face tr.top th", has_text="happy").first.wait_for()


def grab(holder: Any) -> np.ndarray:
    """The picture that the page shows now: BGR."""
    png = np.frombuffer(base64.b64decode(holder.evaluate(GRAB)), np.uint8)
    return cv2.imdecode(png, cv2.IMREAD_COLOR)


def find(picture: np.ndarray, template: np.ndarray) -> tuple[float, int, int]:
    """How well a template fits, and the left upper corner where it fits best."""
    fit = cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (left, top) = cv2.minMaxLoc(fit)
    return best, left, top


def drawn_box(picture: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Read the drawn frame from the pixels round a face; it is square, its label hangs on top.

    Zeros where nothing of the colour of *happy* is drawn.
    """
    margin = (near[2] - near[0]) // 2
    left, top = np.maximum(near[:2] - margin, 0)
    window = picture[top : near[3] + margin, left : near[2] + margin]
    painted = (np.abs(window.astype(int) - HAPPY_BGR) < 60).all(axis=2)
    # The lower line is the lowest row that is painted over a third of the face.
    rows = np.flatnonzero(painted.sum(axis=1) > (near[2] - near[0]) / 3)
    if len(rows) == 0:
        return np.zeros(4)
    columns = np.flatnonzero(painted[rows[-1] - 2 : rows[-1] + 1].any(axis=0))
    x1, x2, y2 = left + columns[0], left + columns[-1], top + rows[-1]
    return np.array([x1, y2 - (x2 - x1), x2, y2], float)


@pytest.mark.browser
@pytest.mark.slow
def test_a_moving_face_comes_back_framed_named_and_mirrored(film: Path, server: Server) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = open_page(browser, server.url)
        holder = start(page)
        says_happy(page)

        assert holder.evaluate(COUNT_FRAMES, 10) >= 10
        assert page.evaluate(COUNT_REFRESHES, 5) >= 2

        mirrored = portrait()[:, ::-1]
        x1, y1, x2, y2 = FACE
        overlaps = []
        for _ in range(12):
            picture = grab(holder)
            fit, left, top = find(picture, mirrored)
            assert fit > 0.8
            assert fit > find(picture, portrait())[0] + 0.2, "the picture is not mirrored"
            face = np.array([left + 320 - x2, top + y1, left + 320 - x1, top + y2])
            overlaps.append(sv.box_iou_batch(face[None], drawn_box(picture, face)[None])[0, 0])
        assert np.median(overlaps) > 0.6
        assert np.mean(np.array(overlaps) > 0.4) > 0.8
        wait_until(lambda: abs(find(grab(holder), mirrored)[1] - left) > 20, BACK_AGAIN_S)


@pytest.mark.browser
@pytest.mark.slow
def test_stop_and_start_again_work_any_number_of_times(film: Path, server: Server) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = open_page(browser, server.url)
        for _ in range(3):
            holder = start(page)
            says_happy(page)
            assert holder.evaluate(COUNT_FRAMES, 2) > 0
            press(page, "STOP")
            page.locator(".fer-face caption", has_text="the program saw").wait_for()
        assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_closed_tab_leaves_no_thread_behind(film: Path, tmp_path: Path) -> None:
    with (
        running_page(tmp_path / "log.txt") as server,
        chromium(*browser_arguments(film)) as browser,
    ):
        # STOP ends a stream at once; that a tab was closed is noticed in half a minute.
        press(visit(browser, server), "STOP")
        after_first = at_rest(server, streams=1)
        for _ in range(2):
            visit(browser, server).close()
        wait_until(lambda: server.threads() <= after_first, BACK_AGAIN_S)


def visit(browser: Any, server: Server) -> Any:
    """Open a tab and see the face named; the stream runs on in it."""
    page = open_page(browser, server.url)
    start(page)
    says_happy(page)
    return page


def at_rest(server: Server, streams: int) -> int:
    """The number of threads once so many streams have ended and it stands still."""
    wait_until(lambda: server.log.read_text().count('"stream ended"') == streams, BACK_AGAIN_S)
    # Over eight seconds at least: what gives the memory of a stream back waits for five.
    counts: deque[int] = deque(maxlen=40)

    def stands_still() -> bool:
        counts.append(server.threads())
        return counts.count(counts[-1]) == counts.maxlen

    wait_until(stands_still, BACK_AGAIN_S)
    return counts[-1]


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.2)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (browser_arguments(None, allow_camera=False), advice.REFUSED),
        (NO_CAMERA, advice.NO_CAMERA),
    ],
    ids=["refused", "none"],
)
def test_a_camera_that_does_not_open_is_told_with_what_to_do(
    arguments: list[str], sentence: str, server: Server
) -> None:
    with chromium(*arguments) as browser:
        page = open_page(browser, server.url)
        press(page, "START")
        page.get_by_text(sentence).wait_for()
        press(page, "START")  # it can be tried again


@pytest.mark.browser
@pytest.mark.slow
def test_a_connection_that_hangs_is_told_within_seconds(film: Path, server: Server) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = browser.new_page()
        page.add_init_script(
            "RTCPeerConnection.prototype.setRemoteDescription = () => new Promise(() => {})"
        )
        page.goto(server.url)
        press(page, "START")
        page.get_by_text("No picture has arrived").wait_for(timeout=30_000)
        # Beside those at the top of the page.
        assert page.get_by_role("link", name="Photo").count() == 2
        page.get_by_role("link", name="Video").last.click()
        page.wait_for_url("**/video")


@pytest.mark.browser
def test_who_comes_to_a_full_page_is_asked_to_wait_and_gets_the_next_place(
    film: Path, tmp_path: Path
) -> None:
    with (
        running_page(tmp_path / "log.txt", environment={"FER_MAX_VIEWERS": "1"}) as server,
        chromium(*browser_arguments(film)) as browser,
    ):
        first, second = open_page(browser, server.url), open_page(browser, server.url)
        second.frame_locator("iframe").get_by_role("button", name="START").wait_for()
        start(first)
        says_happy(first)
        press(second, "START")
        second.get_by_text(seats.FULL).wait_for()
        second.locator("iframe[title^=streamlit_webrtc]").wait_for(state="detached")
        second.get_by_role("link", name="Photo").last.click()
        second.wait_for_url("**/photo")
        second.get_by_role("link", name="Live").click()
        second.get_by_text(seats.FULL).wait_for()
        says_happy(first)
        press(first, "STOP")
        start(second)
        says_happy(second)
        assert "Traceback" not in server.log.read_text()


@pytest.mark.browser
def test_the_page_says_how_late_its_picture_is(film: Path, server: Server) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = open_page(browser, server.url)
        start(page)
        late = page.get_by_text(re.compile(r"The picture is about \d+ ms late\."))
        late.wait_for()
        late_ms = int(late.inner_text().split("about ")[1].split(" ms")[0])
        assert 20 <= late_ms < 5000


@pytest.mark.browser
@pytest.mark.slow
def test_the_switches_and_the_recorder_work_while_the_stream_runs(
    film: Path, server: Server, tmp_path: Path
) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = open_page(browser, server.url)
        holder = start(page)
        says_happy(page)
        holder.evaluate("document.querySelector('video').mark = 'the same stream'")
        page.get_by_text("Mirror", exact=True).click()
        wait_until(lambda: fits(holder, portrait()) > 0.8, 20)
        page.get_by_text("Blurred", exact=True).click()
        wait_until(lambda: fits(holder, HEAD) < 0.7, 20)

        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_text(re.compile("Recording 0:(0[4-9]|[1-5].) of 5:00")).wait_for()
        page.get_by_role("button", name="Stop recording").click()
        told = page.get_by_text(re.compile("Recorded 0:..")).inner_text()
        recorded_s = int(told.split(":")[1]) + 0.5
        page.get_by_text("Plain", exact=True).click()
        wait_until(lambda: fits(holder, HEAD) > 0.8, 20)
        assert holder.evaluate("document.querySelector('video').mark") == "the same stream"

        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        recording = save(page, "Download the recording", tmp_path / "recording.mp4")
        length_s, frames = decode(recording)
        assert length_s == pytest.approx(recorded_s, abs=0.6)
        assert max(find(frame, portrait())[0] for frame in frames) > 0.6, "nobody is to be seen"
        # A bare face fits better than 0.8.
        assert max(find(frame, HEAD)[0] for frame in frames) < 0.75, "a face is to be seen"
        page.get_by_role("button", name="Delete it").click()
        page.get_by_role("button", name="Download the recording").wait_for(state="detached")
        assert not list(visit_files("recording*"))
        rows = list(read_rows(save(page, "Download the rows", tmp_path / "rows.csv")))
        assert list(rows[0]) == list(COLUMNS)
        assert sum(row["expression"] == "happy" for row in rows) > len(rows) / 2


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_who_leaves_for_another_page_leaves_no_stream_behind(film: Path, tmp_path: Path) -> None:
    with (
        running_page(tmp_path / "log.txt") as server,
        chromium(*browser_arguments(film)) as browser,
    ):
        page = open_page(browser, server.url)
        leave(page, server)
        after_first = at_rest(server, streams=1)
        for _ in range(2):
            holder = leave(page, server)
            assert holder.is_detached(), "the camera stays on"
            wait_until(lambda: server.threads() <= after_first, BACK_AGAIN_S)
        assert "Traceback" not in server.log.read_text()


def leave(page: Any, server: Server) -> Any:
    """See the stream run and record, go to another page, and come back to the summary."""
    holder = start(page)
    says_happy(page)
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text(re.compile("0:(0[1-9]|[1-5].) of 5:00")).wait_for()
    page.get_by_role("link", name="How it works").click()
    page.get_by_text("Mirror", exact=True).wait_for(state="detached")
    page.get_by_role("link", name="Live").click()
    page.get_by_text("the program saw").wait_for()
    page.get_by_role("button", name="Download the recording").wait_for()
    return holder


@pytest.mark.browser
@pytest.mark.slow
def test_the_sample_shows_the_whole_page_on_a_phone_without_a_camera(server: Server) -> None:
    with chromium(*NO_CAMERA) as browser:
        page = open_page(browser, server.url)
        page.set_viewport_size({"width": 390, "height": 844})
        button = page.frame_locator("iframe[title^=streamlit_webrtc]").get_by_role(
            "button", name="START"
        )
        button.wait_for()
        assert button.bounding_box()["y"] + button.bounding_box()["height"] < 844
        assert fits_the_width(page)

        page.get_by_role("button", name="Try the sample").click()
        page.locator(".fer-face caption", has_text="Face 2").wait_for()
        page.locator(".fer-chart [role=img]").first.wait_for()
        assert fits_the_width(page)
        # Asked in one go: Streamlit may draw the panel anew between two questions.
        assert page.evaluate(BARS_ARE_BELOW)
        with av.open(str(SAMPLE_VIDEO)) as sample:
            once = sample.streams.video[0].frames
        component(page).wait_for_function(f"({FRAMES}) > {once + 20}")  # it begins again
        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        page.get_by_role("button", name="Download the rows").wait_for()
        assert fits_the_width(page)
        button.wait_for()
        press(page, "START")  # the camera's again
        page.get_by_text(advice.NO_CAMERA).wait_for()


@pytest.mark.browser
def test_the_camera_is_asked_for_as_chosen(film: Path, server: Server) -> None:
    with chromium(*browser_arguments(film)) as browser:
        page = browser.new_page()
        page.add_init_script(KEEP_WISHES)
        page.goto(server.url)
        page.get_by_test_id("stPopoverButton").click()
        page.get_by_text("Rear", exact=True).click()
        page.get_by_text("1280 × 720, 15 frames a second").click()
        page.keyboard.press("Escape")
        component(page).wait_for_function(
            "window.given?.media_stream_constraints.video.width.ideal === 1280"
        )
        holder = start(page)
        wishes = holder.evaluate("window.wishes[0].video")
        assert wishes["facingMode"] == {"ideal": "environment"}
        assert (wishes["width"], wishes["height"]) == ({"ideal": 1280}, {"ideal": 720})
        assert wishes["frameRate"] == {"ideal": 15, "max": 15}


def fits(holder: Any, template: np.ndarray) -> float:
    """How well a template fits to the picture that the page shows now."""
    return find(grab(holder), template)[0]


def fits_the_width(page: Any) -> bool:
    """Whether nothing reaches over the right edge."""
    return bool(page.evaluate(FITS))


def save(page: Any, button: str, path: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    download.value.save_as(path)
    return path


def decode(film: Path) -> tuple[float, list[np.ndarray]]:
    """The length of a film in seconds, and its frames: BGR."""
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
        return container.duration / av.time_base, frames


def visit_files(pattern: str) -> Iterator[Path]:
    return Path(tempfile.gettempdir()).glob(f"fer-visit-*/{pattern}")


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_broken_model_is_told_in_one_sentence(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damage == "damaged":
        (tmp_path / "fer.tflite").write_bytes(b"no model")
        (tmp_path / "card.json").write_text("{")
    monkeypatch.setattr(sys, "argv", ["streamlit_app.py", "--model", str(tmp_path)])
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not page.exception
    assert len(page.error) == 1
    assert str(tmp_path) in page.error[0].value
    assert "Traceback" not in page.error[0].value


def test_the_page_imports_no_tensorflow() -> None:
    code = "import sys, fer.web.app; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
