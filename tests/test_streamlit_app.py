"""The browser page, driven in a real Chromium by a camera with a known picture."""

import base64
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import streamlit as st
import streamlit_webrtc.component
import supervision as sv
from streamlit.testing.v1 import AppTest
from streamlit_webrtc import WebRtcStreamerContext, WebRtcStreamerState

from benchmarks.sessions import vanish
from fer import EXPRESSIONS
from fer.expressions import EXPRESSION_NAMES
from fer.rows import COLUMNS, read_rows
from fer.sample import SAMPLE_VIDEO
from fer.web import advice, live, panel, seats, signalling
from fer.web.stream import LiveStream
from fer.web.visit import Visit
from tests.browser import (
    PHONE,
    chromium,
    component,
    fetch,
    open_page,
    press,
    says_happy,
    see_frames,
    settle,
    start,
    try_sample,
)
from tests.streamlit_server import FACE, ROOT, Server, browser_arguments, portrait, running_page
from tests.waiting import PATIENCE_S, wait_for

HAPPY = EXPRESSION_NAMES.index("happy")
HAPPY_BGR = sv.Color.from_hex(EXPRESSIONS[HAPPY].color).as_bgr()

GRAB = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 480];  // a busy browser sends a smaller picture
  canvas.getContext("2d").drawImage(video, 0, 0, 640, 480);
  return canvas.toDataURL("image/png").split(",")[1];
}"""
PANEL = "() => document.querySelector('.fer-face')?.outerHTML"
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
# What the browser itself says of its connections.
KEEP_CONNECTIONS = """
window.connections = [];
const state = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "connectionState").get;
window.RTCPeerConnection = new Proxy(RTCPeerConnection, {
  construct(kind, given) {
    connections.push(new kind(...given));
    return connections.at(-1);
  },
});
window.connectionState = () => state.call(connections.at(-1));
"""
# Loses the timers of the parts that draw themselves, as Streamlit now and then does.
KEEP_TIMERS = """
const set = window.setInterval, kept = [];
window.setInterval = (call, wait_ms, ...given) => {
  const timer = set(call, wait_ms, ...given);
  if (Math.round(wait_ms) === PANEL_MS) kept.push(timer);
  return timer;
};
window.loseTimers = () => kept.splice(0).map(clearInterval).length;
""".replace("PANEL_MS", f"{1000 * panel.REFRESH_S:.0f}")
PULSE = "Number(document.querySelector('[data-pulse]')?.dataset.pulse)"
NO_WEBRTC = "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection"
NO_CAMERA = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=device-count=0",
]
HEAD = portrait()[FACE[1] : FACE[3], FACE[0] : FACE[2]]


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
def test_a_moving_face_comes_back_framed_named_and_mirrored(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        holder = start(page)
        says_happy(page)

        see_frames(holder, 10)
        before = page.evaluate(PANEL)
        page.wait_for_function(f"(before) => ({PANEL})() !== before", arg=before)

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
        wait_for(lambda: abs(find(grab(holder), mirrored)[1] - left) > 20, "the face to move")


@pytest.mark.browser
@pytest.mark.slow
def test_stop_and_start_again_work_any_number_of_times(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        for _ in range(3):
            holder = start(page)
            says_happy(page)
            see_frames(holder, 1)
            press(page, "STOP")
            page.locator(".fer-face caption", has_text="the program saw").wait_for()
        assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_browser_that_is_killed_frees_its_place_within_a_minute_and_leaves_nothing_behind(
    camera: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_page(tmp_path / "log.txt", environment={"FER_MAX_VIEWERS": "1"}) as server,
        # Of the browser that is killed; a socket's path has to be short.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        chromium(*browser_arguments(camera)) as browser,
    ):
        # STOP ends a stream at once; that a browser is gone is noticed in half a minute.
        page = visit(browser, server)
        press(page, "STOP")
        threads, descriptors = at_rest(server, streams=1), server.descriptors()

        monkeypatch.setenv("TMPDIR", folder)
        vanish(["benchmarks.page_client", server.url], 1)
        vanished_s = time.monotonic()
        press(page, "START")
        page.get_by_text(seats.FULL).wait_for()
        wait_for(lambda: ended(server) == 2, "the place to be free")
        assert time.monotonic() - vanished_s < 60
        start(page)
        says_happy(page)
        press(page, "STOP")
        wait_for(lambda: ended(server) == 3, "the end of all streams")
        wait_for(lambda: server.threads() <= threads, "the streams' threads to end")
        wait_for(lambda: server.descriptors() <= descriptors, "what was open to be closed")


def visit(browser: Any, server: Server) -> Any:
    """Open a tab and see the face named; the stream runs on in it."""
    page = open_page(browser, server.url)
    start(page)
    says_happy(page)
    return page


def ended(server: Server) -> int:
    """How many streams have ended."""
    return server.log.read_text().count('"stream ended"')


def at_rest(server: Server, streams: int) -> int:
    """The number of threads once so many streams have ended and it stands still."""
    wait_for(lambda: ended(server) == streams, "the stream's end")
    # Over eight seconds at least: what gives the memory of a stream back waits for five.
    counts: deque[int] = deque(maxlen=40)

    def stands_still() -> bool:
        time.sleep(0.2)
        counts.append(server.threads())
        return counts.count(counts[-1]) == counts.maxlen

    wait_for(stands_still, "rest")
    return counts[-1]


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
def test_a_connection_that_hangs_is_told_within_seconds(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(
            browser,
            server.url,
            "RTCPeerConnection.prototype.setRemoteDescription = () => new Promise(() => {})",
        )
        press(page, "START")
        page.get_by_text("No picture has arrived").wait_for()
        # Beside those at the top of the page.
        page.get_by_role("link", name="Photo").nth(1).wait_for()
        page.get_by_role("link", name="Video").last.click()
        page.wait_for_url("**/video")


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """Nothing comes from the server, as where the network is gone."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing stops a process here")
def test_a_connection_that_is_lost_is_told(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url, KEEP_CONNECTIONS)
        holder = start(page)
        says_happy(page)
        with standing_still(server):
            holder.wait_for_function("connectionState() === 'failed'")
        page.get_by_text(panel.LOST).wait_for()
        page.get_by_text("the program saw").wait_for()
        start(page)
        says_happy(page)
        page.get_by_text(panel.LOST).wait_for(state="detached")
        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        assert page.get_by_text(panel.LOST).count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_a_panel_that_stands_still_goes_on(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url, KEEP_TIMERS)
        start(page)
        says_happy(page)
        assert page.evaluate("loseTimers()")
        before = page.evaluate(PULSE)  # one or two may still be on their way
        page.wait_for_function(f"{PULSE} > {before + 2}")
        later = page.evaluate(PULSE)
        assert later > before + 8  # it did stand still
        page.wait_for_function(f"{PULSE} > {later + 2}")


@pytest.mark.browser
def test_two_quick_clicks_begin_as_one_does(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url, KEEP_CONNECTIONS)
        button = page.frame_locator("iframe").get_by_role("button", name="START")
        button.wait_for()
        settle(page)
        component(page).wait_for_function("document.met")
        button.dblclick()
        says_happy(page)
        assert component(page).evaluate("connections.length") == 1


@pytest.mark.browser
def test_start_is_back_where_the_sample_fails(server: Server) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, server.url, NO_WEBRTC)
        try_sample(page)
        page.get_by_text(advice.NO_WEBRTC).wait_for()
        press(page, "START")
        page.get_by_text(advice.NO_WEBRTC).wait_for()


@pytest.mark.browser
def test_who_comes_to_a_full_page_is_asked_to_wait_and_gets_the_next_place(
    camera: Path, tmp_path: Path
) -> None:
    with (
        running_page(tmp_path / "log.txt", environment={"FER_MAX_VIEWERS": "1"}) as server,
        chromium(*browser_arguments(camera)) as browser,
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
def test_the_page_says_how_late_its_picture_is(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        start(page)
        late = page.get_by_text(re.compile(r"The picture is about \d+ ms late\."))
        late.wait_for()
        assert int(late.inner_text().split("about ")[1].split(" ms")[0]) >= 20


@pytest.mark.browser
@pytest.mark.slow
def test_the_switches_and_the_recorder_work_while_the_stream_runs(
    camera: Path, server: Server, tmp_path: Path
) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        holder = start(page)
        says_happy(page)
        holder.evaluate("document.querySelector('video').mark = 'the same stream'")
        page.get_by_text("Mirror", exact=True).click()
        wait_for(lambda: fits(holder, portrait()) > 0.8, "the unmirrored picture")
        page.get_by_text("Blurred", exact=True).click()
        wait_for(lambda: fits(holder, HEAD) < 0.7, "the blurred face")

        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_text(re.compile("Recording 0:(0[4-9]|[1-5].) of 5:00")).wait_for()
        page.get_by_role("button", name="Stop recording").click()
        told = page.get_by_text(re.compile("Recorded 0:..")).inner_text()
        recorded_s = int(told.split(":")[1])  # rounded
        page.get_by_text("Plain", exact=True).click()
        wait_for(lambda: fits(holder, HEAD) > 0.8, "the bare face")
        assert holder.evaluate("document.querySelector('video').mark") == "the same stream"

        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        recording = fetch(page, "expressions.mp4", tmp_path)
        length_s, frames = decode(recording)
        assert length_s == pytest.approx(recorded_s, abs=0.6)
        assert max(find(frame, portrait())[0] for frame in frames) > 0.6, "nobody is to be seen"
        # A bare face fits better than 0.8.
        assert max(find(frame, HEAD)[0] for frame in frames) < 0.75, "a face is to be seen"
        page.get_by_role("button", name="Delete it").click()
        page.get_by_role("button", name="Download the recording").wait_for(state="detached")
        assert not list(server.temporary.glob("fer-visit-*/recording*"))
        rows = list(read_rows(fetch(page, "expressions.csv", tmp_path)))
        assert list(rows[0]) == list(COLUMNS)
        assert sum(row["expression"] == "happy" for row in rows) > len(rows) / 2


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_who_leaves_for_another_page_leaves_no_stream_behind(camera: Path, tmp_path: Path) -> None:
    with (
        running_page(tmp_path / "log.txt") as server,
        chromium(*browser_arguments(camera)) as browser,
    ):
        page = open_page(browser, server.url)
        leave(page, server)
        after_first = at_rest(server, streams=1)
        holder = leave(page, server)
        assert holder.is_detached(), "the camera stays on"
        wait_for(lambda: server.threads() <= after_first, "the stream's threads to end")
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
        page = open_page(browser, server.url, KEEP_CONNECTIONS, viewport=PHONE)
        button = page.frame_locator("iframe[title^=streamlit_webrtc]").get_by_role(
            "button", name="START"
        )
        button.wait_for()
        box = button.bounding_box()
        assert box["y"] + box["height"] < PHONE["height"]
        page.wait_for_function(FITS)

        try_sample(page)
        page.locator(".fer-face caption", has_text="Face 2").wait_for()
        assert component(page).evaluate("connections.length") == 1
        page.locator(".fer-chart [role=img]").first.wait_for()
        page.wait_for_function(FITS)
        # Asked in one go: Streamlit may draw the panel anew between two questions.
        page.wait_for_function(BARS_ARE_BELOW)
        with av.open(str(SAMPLE_VIDEO)) as sample:
            once_s = sample.duration / av.time_base
        begun_again = f"() => document.querySelector('video').currentTime > {once_s + 1}"
        component(page).wait_for_function(begun_again)
        see_frames(component(page), 2)
        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        page.get_by_role("button", name="Download the rows").wait_for()
        page.wait_for_function(FITS)
        button.wait_for()
        try_sample(page)  # and once more
        page.locator(".fer-face caption").first.wait_for()
        press(page, "STOP")
        button.wait_for()
        press(page, "START")  # the camera's again
        page.get_by_text(advice.NO_CAMERA).wait_for()


@pytest.mark.browser
def test_the_camera_is_asked_for_as_chosen(camera: Path, server: Server) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url, KEEP_WISHES)
        # Whoever opens it before the page stands still may see it close again.
        page.frame_locator("iframe").get_by_role("button", name="START").wait_for()
        settle(page)
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


def decode(film: Path) -> tuple[float, list[np.ndarray]]:
    """The length of a film in seconds, and its frames: BGR of shape (480, 640, 3)."""
    with av.open(str(film)) as container:  # a busy browser sends a smaller picture
        frames = [
            frame.to_ndarray(width=640, height=480, format="bgr24")
            for frame in container.decode(video=0)
        ]
        return container.duration / av.time_base, frames


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


def live_page() -> None:
    from fer.web import live

    live.show()


def test_who_comes_back_while_the_stream_still_ends_is_offered_the_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "webrtc_streamer", lambda **_: None)  # it wants a real server
    visit = Visit()
    stream = LiveStream(visit)
    processor = stream.begin(None)
    stream.record()
    frame = av.VideoFrame.from_ndarray(portrait(), format="bgr24")
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    processor.recv(frame)
    page = AppTest.from_function(live_page, default_timeout=PATIENCE_S)
    page.session_state["visit"], page.session_state["stream"] = visit, stream
    page.run()
    assert not page.exception
    assert any(
        one.proto.label.startswith("Download the recording") for one in page.get("download_button")
    )
    visit.end()


def test_start_counts_though_the_run_that_ends_the_stream_before_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kit = streamlit_webrtc.component
    context = WebRtcStreamerContext(None, WebRtcStreamerState(False, False))  # as that run left it
    alone: list[bool] = []
    ended: list[object] = []

    def draw(**_: object) -> WebRtcStreamerContext[Any, Any]:
        alone.append(st.session_state["stream"].draw_lock.locked())
        return context

    monkeypatch.setattr(live, "webrtc_streamer", draw)
    monkeypatch.setattr(kit, "_reset_context", ended.append)
    page = AppTest.from_function(live_page, default_timeout=PATIENCE_S)
    page.session_state[signalling.KEY] = context
    value = kit.generate_frontend_component_key(signalling.KEY)
    for count, words in enumerate(("v=0", "v=1"), 1):
        page.session_state[value] = {"playing": False, "sdpOffer": {"sdp": words}}
        page.run().run()
        assert not page.exception and all(alone)
        assert context.state == WebRtcStreamerState(playing=False, signalling=True)
        assert len(ended) == count  # what answers another offer ends, once


def test_only_a_page_that_was_left_ends_its_stream_not_runs_of_the_script_that_were_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[object] = []
    monkeypatch.setattr(
        streamlit_webrtc.component, "get_this_session_info", object
    )  # there is no server
    monkeypatch.setattr(streamlit_webrtc.component, "_reset_context", ended.append)
    monkeypatch.setattr(
        live,
        "webrtc_streamer",
        lambda key, **_: streamlit_webrtc.component._get_or_create_context(key),
    )
    page = AppTest.from_function(live_page, default_timeout=PATIENCE_S).run()
    with monkeypatch.context() as broken_off:
        broken_off.setattr(live.connection, "browser_configuration", st.stop)
        page.run().run()
    page.run()
    assert not page.exception and not ended
    page.session_state["stream"].turned_away = True  # for one run there is no place
    page.run()
    assert not page.exception and ended
