"""The browser page, driven in a real Chromium by a camera with a known picture."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import supervision as sv
from streamlit.testing.v1 import AppTest

from fer import EXPRESSIONS, ExpressionAnnotator, ExpressionPipeline, FaceState, SourceError
from fer.expressions import EXPRESSION_NAMES
from fer.web import faces, live
from fer.web.processor import ExpressionVideoProcessor
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
    holder = next(frame for frame in page.frames if "streamlit_webrtc" in frame.url)
    holder.wait_for_function("document.querySelector('video')?.videoWidth > 0")
    return holder


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
        overlaps, places = [], set()
        for _ in range(12):
            picture = grab(holder)
            fit, left, top = find(picture, mirrored)
            assert fit > 0.8
            assert fit > find(picture, portrait())[0] + 0.2, "the picture is not mirrored"
            face = np.array([left + 320 - x2, top + y1, left + 320 - x1, top + y2])
            overlaps.append(sv.box_iou_batch(face[None], drawn_box(picture, face)[None])[0, 0])
            places.add(left // 20)
        assert np.median(overlaps) > 0.6
        assert np.mean(np.array(overlaps) > 0.4) > 0.8
        assert len(places) > 1, "the face did not move"


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
            page.locator(".fer-face caption", has_text="appear here").wait_for()
        assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_closed_tab_leaves_no_thread_behind(film: Path, tmp_path: Path) -> None:
    with (
        running_page(tmp_path / "log.txt") as server,
        chromium(*browser_arguments(film)) as browser,
    ):
        visit(browser, server)
        after_first = settled(server)
        for _ in range(2):
            visit(browser, server)
            wait_until(lambda: server.threads() <= after_first, BACK_AGAIN_S)


def visit(browser: Any, server: Server) -> None:
    """Open a tab, see the face named and close the tab while the stream runs."""
    page = open_page(browser, server.url)
    start(page)
    says_happy(page)
    page.close()


def settled(server: Server) -> int:
    """The lowest number of threads over the time that a stream's end may take to be noticed.

    Part of a stream's threads end at once and the rest half a minute later:
    a number that stands still for some seconds may still hold a stream.
    """
    counts, start = [server.threads()], time.monotonic()
    while time.monotonic() - start < BACK_AGAIN_S:
        time.sleep(0.5)
        counts.append(server.threads())
    return min(counts)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.2)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (browser_arguments(None, allow_camera=False), live.REFUSED),
        (
            [
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream=device-count=0",
            ],
            live.NO_CAMERA,
        ),
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


@pytest.mark.browser
def test_a_phone_shows_the_bars_below_the_picture(server: Server) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, server.url)
        page.set_viewport_size({"width": 390, "height": 844})
        # Asked in one go: Streamlit may draw the panel anew between two questions.
        page.wait_for_function(
            """() => {
              const video = document.querySelector("iframe[title^=streamlit_webrtc]");
              const bars = document.querySelector(".fer-face");
              const [above, below] = [video, bars].map((one) => one?.getBoundingClientRect());
              return above?.height && below?.height && below.top >= above.bottom;
            }"""
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


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
    code = "import sys, fer.web.live; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def video_frame(scene: np.ndarray) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(scene, format="bgr24")
    frame.pts, frame.time_base = 4500, Fraction(1, 90_000)
    return frame


def scene() -> np.ndarray:
    picture = np.full((480, 640, 3), 110, np.uint8)
    picture[100:420, 60:380] = portrait()
    return picture


def test_a_frame_is_mirrored_before_it_is_written_on() -> None:
    expected = scene()[:, ::-1].copy()
    ExpressionAnnotator().annotate(expected, ExpressionPipeline()(expected))
    answer = ExpressionVideoProcessor().recv(video_frame(scene()))
    np.testing.assert_array_equal(answer.to_ndarray(format="bgr24"), expected)
    assert (answer.pts, answer.time_base) == (4500, Fraction(1, 90_000))


def test_a_frame_that_cannot_be_read_does_not_end_the_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    processor = ExpressionVideoProcessor()
    with monkeypatch.context() as broken:
        broken.setattr(processor, "_pipeline", lambda frame: 1 / 0)
        answers = [processor.recv(video_frame(scene())) for _ in range(3)]
    for answer in answers:
        np.testing.assert_array_equal(answer.to_ndarray(format="bgr24"), scene()[:, ::-1])
    assert len(caplog.records) == 1
    processor.recv(video_frame(scene()))
    assert processor.latest is not None and len(processor.latest) == 1


def test_frames_may_change_their_size() -> None:
    processor = ExpressionVideoProcessor()
    for size in ((640, 480), (320, 240), (640, 480)):
        answer = processor.recv(video_frame(cv2.resize(scene(), size)))
        assert (answer.width, answer.height) == size


def test_a_stream_that_ended_keeps_nothing() -> None:
    processor = ExpressionVideoProcessor()
    processor.recv(video_frame(scene()))
    processor.on_ended()
    processor.on_ended()  # the component may say it twice
    processor.recv(video_frame(scene()))
    assert processor.latest is None


def detections(ids: list[int], tops: list[int]) -> sv.Detections:
    """Faces of which each shows one expression with 60 %."""
    scores = np.full((len(ids), len(EXPRESSIONS)), 0.4 / 6, np.float32)
    scores[np.arange(len(ids)), tops] = 0.6
    return sv.Detections(
        xyxy=np.tile([0.0, 0.0, 9.0, 9.0], (len(ids), 1)),
        tracker_id=np.array(ids),
        data={"scores": scores, "state": np.array([FaceState.OK] * len(ids))},
    )


def test_faces_keep_their_order_whatever_the_order_of_the_search() -> None:
    html = faces.faces_html(detections([7, -1, 2], [3, 4, 0]))
    captions = [part.split("<")[0] for part in html.split("<caption>")[1:]]
    assert captions == ["Face 1: angry 60 %", "Face 2: happy 60 %", "Face 3: sad 60 %"]


def test_each_probability_is_there_as_text_too() -> None:
    html = faces.faces_html(detections([0], [HAPPY]))
    assert html.count("<td>7 %</td>") == 6 and html.count("<td>60 %</td>") == 1
    assert all(name in html and color in html for name, color in EXPRESSIONS)


def test_no_face_is_said_in_words() -> None:
    assert "No face in view." in faces.faces_html(ExpressionPipeline()(np.zeros_like(scene())))


def test_by_default_nothing_outside_is_asked_for_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(live.ICE_VARIABLE, raising=False)
    assert live.ice_servers() == []


def test_ice_servers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(live.ICE_VARIABLE, '[{"urls": "turn:example.org:3478"}]')
    assert live.ice_servers() == [{"urls": "turn:example.org:3478"}]


@pytest.mark.parametrize("text", ["turn:example.org", "{}", '["turn:example.org"]', "[{}]"])
def test_ice_servers_that_are_none_are_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(live.ICE_VARIABLE, text)
    with pytest.raises(SourceError, match="JSON list"):
        live.ice_servers()
