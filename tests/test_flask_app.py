"""The page for many viewers, over real connections and in a real browser."""

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import supervision as sv
from werkzeug.serving import make_server

import flask_app
from fer import EXPRESSIONS, SourceError
from fer.classification import resolve_model
from fer.expressions import EXPRESSION_NAMES
from fer.media import Source, TimedFrame
from flask_app import broadcasting, create_app
from tests.browser import PHONE, chromium, open_page
from tests.films import write_turned_film
from tests.streamlit_server import browser_arguments, free_port
from tests.synthetic import Face, FaceVideo, Image, write_video
from tests.waiting import PATIENCE_S, wait_for

ROOT = Path(flask_app.__file__).parent.parent
FACE = Face(center=(160, 120), sway=(0, 0), side=110)
MOVING = FaceVideo((Face(center=(160, 120), sway=(40, 10), side=110),), seconds=3, size=(320, 240))
HAPPY_BGR = sv.Color.from_hex(EXPRESSIONS[EXPRESSION_NAMES.index("happy")].color).as_bgr()


class Camera:
    """A camera of this machine, which can be unplugged; called, it is opened."""

    def __init__(self, frames: list[Image]) -> None:
        self.frames, self.given = frames, 0
        self.opened = self.closed = 0
        self.plugged = threading.Event()
        self.plugged.set()

    def __call__(self) -> Source:
        if not self.plugged.is_set():
            raise SourceError("There is no camera 0.")
        assert self.opened == self.closed, "a camera can be opened once at a time"
        self.opened += 1
        return Stream(self)


class Stream(Source):
    live = True

    def __init__(self, camera: Camera) -> None:
        self.camera, self.open = camera, True

    def __iter__(self) -> Iterator[TimedFrame]:
        begun = time.monotonic()
        for frame in itertools.cycle(self.camera.frames):
            time.sleep(0.03)
            if not self.camera.plugged.is_set():
                raise SourceError("Camera 0 gives no more pictures: is it unplugged?")
            self.camera.given += 1
            yield frame.copy(), time.monotonic() - begun

    def close(self) -> None:
        self.camera.closed += self.open
        self.open = False


@pytest.fixture
def camera() -> Camera:
    return Camera(list(FaceVideo((FACE,), seconds=1, size=(320, 240)).frames()))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", MOVING.frames())


@pytest.fixture(scope="module")
def short_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = list(MOVING.frames())[:12]
    return write_video(tmp_path_factory.mktemp("film") / "short.mp4", frames)


@contextmanager
def serving(source: Camera | str, **options: Any) -> Iterator[str]:
    """A running server; its address."""
    app = create_app(source, **options)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    # Asked every 20 ms whether it is to end: by default every half second.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        app.extensions["fer"].close()


@contextmanager
def opened(address: str) -> Iterator[Any]:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as response:
        yield response


def lines(response: Any) -> Iterator[bytes]:
    """The lines of an answer, which is not to go on for ever without what a test waits for."""
    end = time.monotonic() + PATIENCE_S
    while line := response.readline():
        assert time.monotonic() < end, f"read for {PATIENCE_S} s in vain"
        yield line


def pictures(response: Any) -> Iterator[Image]:
    """The pictures of a stream, as a browser reads them."""
    assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    for line in lines(response):
        if line.lower().startswith(b"content-length:"):
            assert response.readline() == b"\r\n"
            data = np.frombuffer(response.read(int(line.split(b":")[1])), np.uint8)
            yield cv2.imdecode(data, cv2.IMREAD_COLOR)


def messages(response: Any) -> Iterator[tuple[str, str]]:
    """The lines of server-sent events with something in them: field and value."""
    assert response.headers["Content-Type"].startswith("text/event-stream")
    for line in lines(response):
        if line.strip():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            yield field, value


def results(response: Any) -> Iterator[dict[str, Any]]:
    return (json.loads(value) for field, value in messages(response) if field == "data")


def health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with opened(f"{url}/healthz") as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def is_framed(picture: Image) -> bool:
    """Whether the frame and label of a happy face are drawn on it; JPEG changes colours a bit."""
    return int((np.abs(picture.astype(int) - HAPPY_BGR) < 40).all(axis=2).sum()) > 500


def test_five_readers_at_once_share_one_camera_which_is_released_after_the_last(
    camera: Camera,
) -> None:
    with serving(camera) as url:
        together = threading.Barrier(5, timeout=PATIENCE_S)

        def read(_: int) -> int:
            with opened(f"{url}/stream.mjpg") as response:
                views = pictures(response)
                framed = is_framed(next(views))
                together.wait()  # all five are watching now
                return framed + sum(is_framed(next(views)) for _ in range(9))

        with ThreadPoolExecutor(5) as readers:
            assert list(readers.map(read, range(5))) == [10] * 5
        assert camera.opened == 1
        wait_for(lambda: camera.closed == 1, "the camera to be released")
        wait_for(lambda: health(url) == (200, {"state": "closed", "viewers": 0}), "rest")
        with opened(f"{url}/stream.mjpg") as response:
            assert is_framed(next(pictures(response)))
        assert camera.opened == 2


def connect(url: str) -> socket.socket:
    """A viewer who has asked for the stream and got the first bytes."""
    host, port = url.removeprefix("http://").split(":")
    viewer = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert viewer.recv(100).startswith(b"HTTP/1.1 200")
    return viewer


def test_a_viewer_who_vanishes_without_goodbye_does_not_hold_the_camera(camera: Camera) -> None:
    with serving(camera) as url:
        viewer = connect(url)
        wait_for(lambda: camera.given > 3, "frames")
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        viewer.close()
        wait_for(lambda: camera.closed == 1, "the camera to be released")


def test_a_viewer_who_takes_nothing_any_more_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask_app, "STALLED_S", 0.5)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    camera = Camera([noise])  # large as JPEG, so that the connection is soon full
    with serving(camera) as url:
        viewer = connect(url)
        wait_for(lambda: camera.closed == 1, "the camera to be released")
        viewer.close()


def test_many_viewers_who_take_nothing_do_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flask_app, "STALLED_S", 2 * PATIENCE_S)  # for which nobody waits
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    camera = Camera([noise])
    with serving(camera) as url, ExitStack() as standing:
        for _ in range(30):
            standing.enter_context(closing(connect(url)))

        def read(_: int) -> int:
            with opened(f"{url}/stream.mjpg") as response:
                return len([*itertools.islice(pictures(response), 15)])

        with ThreadPoolExecutor(10) as readers:
            assert list(readers.map(read, range(10))) == [15] * 10
        assert camera.opened == 1
        assert health(url)[1]["viewers"] >= 30


def test_a_slow_viewer_sees_the_newest_frame_and_not_a_queue(camera: Camera) -> None:
    broadcaster = create_app(camera).extensions["fer"]
    views = broadcaster.watch()
    first = json.loads(next(filter(None, views)).result)
    given = camera.given
    wait_for(lambda: camera.given > given + 20, "frames")
    second = json.loads(next(views).result)
    views.close()
    broadcaster.close()
    assert camera.opened == camera.closed == 1
    assert second["time"] - first["time"] > 15 * 0.03


def test_a_snapshot_shows_the_face_framed(camera: Camera) -> None:
    with serving(camera) as url, opened(f"{url}/snapshot.jpg") as response:
        assert response.headers["Content-Type"] == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(response.read(), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (240, 320, 3)
    assert is_framed(picture)
    assert not is_framed(camera.frames[0])


def test_events_say_whose_face_is_where_and_what_it_shows(camera: Camera) -> None:
    with serving(camera) as url, opened(f"{url}/events") as response:
        found = [next(told := results(response))]
        while not found[-1]["faces"] or found[-1]["faces"][0]["face"] < 0:  # at first sight
            found.append(next(told))
    times = [result["time"] for result in found]
    assert times == sorted(set(times))
    assert {result["state"] for result in found} == {"live"}
    assert found[-1]["size"] == [320, 240]
    (face,) = found[-1]["faces"]
    assert sv.box_iou_batch(np.array([face["box"]]), np.array([FACE.box(0)]))[0, 0] > 0.5
    assert (face["expression"], face["state"]) == ("happy", "ok")
    assert list(face["scores"]) == list(EXPRESSION_NAMES)
    assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert face["confidence"] == face["scores"]["happy"] > 0.5


def test_events_without_a_face_hold_none() -> None:
    empty = Camera([np.full((240, 320, 3), 90, np.uint8)])
    with serving(empty) as url, opened(f"{url}/events") as response:
        assert next(results(response))["faces"] == []


def test_events_stay_alive_while_nothing_comes(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "QUIET_S", 0.1)
    answer = threading.Event()

    def slow() -> Source:
        answer.wait(PATIENCE_S)
        return camera()

    with serving(slow) as url, opened(f"{url}/events") as response:
        told = messages(response)
        assert list(itertools.islice(told, 4)) == [("retry", "1000")] + [("", "still here")] * 3
        assert health(url) == (200, {"state": "opening", "viewers": 1})
        answer.set()
        assert any(field == "data" for field, _ in told)


def test_a_lost_camera_is_told_and_comes_back_by_itself(camera: Camera) -> None:
    with (
        serving(camera) as url,
        opened(f"{url}/stream.mjpg") as stream,
        opened(f"{url}/events") as events,
    ):
        views, told = pictures(stream), results(events)
        assert is_framed(next(views))
        assert health(url) == (200, {"state": "live", "viewers": 2})

        camera.plugged.clear()
        still = next(view for view in views if not is_framed(view))
        assert still.shape == (240, 320, 3)
        assert np.median(still) < 60 and still.max() > 200, "light letters on a dark ground"
        assert any(result == {"state": "lost"} for result in told)
        assert health(url) == (503, {"state": "lost", "viewers": 2})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/snapshot.jpg", timeout=PATIENCE_S)
        with caught.value as refused:
            assert refused.code == 503
            assert refused.headers["Content-Type"] == "image/jpeg"

        camera.plugged.set()
        assert any(is_framed(view) for view in views)
        assert any(result["state"] == "live" for result in told)
        assert health(url)[0] == 200
        assert camera.opened == 2


def test_a_camera_that_is_lost_while_nobody_watches_is_no_illness(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "RETRY_S", 0.1)
    camera.plugged.clear()
    with serving(camera) as url:
        assert health(url)[0] == 200
        with opened(f"{url}/events") as events:
            assert next(results(events)) == {"state": "lost"}
            assert health(url)[0] == 503
        wait_for(lambda: health(url) == (200, {"state": "closed", "viewers": 0}), "rest")


def test_why_a_source_is_lost_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    secret = "rtsp://me:secret@127.0.0.1:9/door"
    with serving(secret) as url, opened(f"{url}/events") as events:
        assert next(results(events)) == {"state": "lost"}
    wait_for(lambda: "127.0.0.1:9/door" in caplog.text, "the log")
    assert "secret" not in caplog.text


def test_a_broken_frame_does_not_end_the_thread(
    camera: Camera, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "RETRY_S", 0.1)
    good, camera.frames = camera.frames, [np.zeros((0, 0, 3), np.uint8)]
    with serving(camera) as url, opened(f"{url}/events") as events:
        told = results(events)
        assert next(told) == {"state": "lost"}
        camera.frames = good
        assert any(result["state"] == "live" for result in told)
    assert sum(record.exc_info is not None for record in caplog.records) == 1


def test_a_film_ends_by_choice_and_begins_anew_for_the_next_viewer(short_film: Path) -> None:
    with serving(str(short_film), loop=False) as url:
        for _ in range(2):
            with opened(f"{url}/stream.mjpg") as stream, opened(f"{url}/events") as events:
                assert 1 < len(list(pictures(stream))) <= 12
                told = list(messages(events))
            assert told[-2:] == [("event", "end"), ("data", "{}")]
            assert json.loads(told[1][1])["time"] < 0.7
            wait_for(lambda: health(url)[1]["viewers"] == 0, "the viewers to go home")


def test_a_film_that_was_cut_off_ends_where_it_does(tmp_path: Path) -> None:
    cut = write_video(tmp_path / "cut.mkv", MOVING.frames())
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    with serving(str(cut), loop=False) as url, opened(f"{url}/events") as events:
        told = list(messages(events))
    assert ("event", "end") in told
    assert not any("lost" in value for _, value in told)


def test_a_film_that_is_turned_round_in_the_middle_is_sent_to_its_end(tmp_path: Path) -> None:
    film = write_turned_film(tmp_path / "turned.ts")
    with (
        serving(str(film), loop=False) as url,
        opened(f"{url}/stream.mjpg") as stream,
        opened(f"{url}/events") as events,
    ):
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(lambda: [*pictures(stream)])
            told = [*messages(events)]
        views = reading.result()
    assert ("event", "end") in told
    assert views[0].shape == (240, 320, 3) and views[-1].shape == (320, 240, 3)
    assert is_framed(views[-1])
    sizes = [json.loads(value).get("size") for field, value in told if field == "data"]
    assert [320, 240] in sizes and [240, 320] in sizes


def test_a_film_loops_at_its_own_pace(short_film: Path) -> None:
    with serving(str(short_film)) as url, opened(f"{url}/events") as events:
        begun, times = time.monotonic(), []
        for result in results(events):
            times.append(result["time"])
            if sum(later < earlier for earlier, later in itertools.pairwise(times)) == 2:
                break
        assert time.monotonic() - begun > 1.2, "12 frames at 15 a second, twice"


def test_a_photograph_is_a_film_of_one_frame(tmp_path: Path, camera: Camera) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), camera.frames[0])
    with serving(str(tmp_path / "photo.png")) as url, opened(f"{url}/stream.mjpg") as stream:
        assert all(is_framed(view) for view in itertools.islice(pictures(stream), 3))


def test_nothing_is_cached_guessed_or_shown_inside_other_pages(camera: Camera) -> None:
    with serving(camera) as url:
        for path in ("/", "/snapshot.jpg", "/healthz", "/static/page.js"):
            with opened(url + path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy and "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Cache-Control"] == "no-store"


def test_no_other_page_can_switch_the_camera_on(camera: Camera) -> None:
    with serving(camera) as url:
        for path in ("/stream.mjpg", "/events", "/snapshot.jpg"):
            headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(url + path, headers=headers))
            with caught.value as refused:
                assert refused.code == 403
        linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=linked)) as response:
            assert response.status == 200
    assert camera.opened == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/events", 405), ("GET", "/static/../__init__.py", 404), ("HEAD", "/events", 200)],
)
def test_odd_requests_are_answered_and_open_nothing(
    camera: Camera, method: str, path: str, status: int
) -> None:
    with serving(camera) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
        connection.request(method, path)
        with connection.getresponse() as response:
            assert response.status == status
        connection.close()
    assert camera.opened == 0


def flask(port: int, **environment: str) -> subprocess.Popen[str]:
    """Flask's own command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "flask_app", "run", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"FER_SOURCE": "gone.mp4"}, "'gone.mp4' does not exist"),
        ({"FER_SOURCE": "tests"}, "'tests' is a folder"),
        ({"FER_SOURCE": "README.md"}, "README.md"),
        ({"FER_LOOP": "yes"}, "FER_LOOP is 'yes'; expected 1"),
        ({"FER_MODEL": "gone"}, "There is no model at gone"),
    ],
)
def test_a_bad_start_is_one_sentence_and_no_traceback(
    environment: dict[str, str], sentence: str
) -> None:
    process = flask(0, **environment)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert said.startswith("Error: ") and sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:1000], lambda data: data[:-1] + bytes([data[-1] ^ 1])],
    ids=["truncated", "exchanged"],
)
def test_a_damaged_model_is_one_sentence_and_no_traceback(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    shipped, model = resolve_model(), tmp_path / "model"
    shutil.copytree(shipped.parent, model)
    (model / shipped.name).write_bytes(damage(shipped.read_bytes()))
    process = flask(0, FER_MODEL=str(model))
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert said.startswith("Error: ") and "is damaged or was exchanged" in said
    assert said.count("\n") == 1


def test_in_a_program_a_bad_source_is_the_error_of_its_kind() -> None:
    with pytest.raises(SourceError, match="does not exist"):
        create_app("gone.mp4")


def test_a_busy_port_is_told_and_exits_1() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        process = flask(busy.getsockname()[1])
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "is in use by another program" in said and "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_control_c_ends_the_server_while_somebody_watches(film: Path) -> None:
    port = free_port()
    process = flask(port, FER_SOURCE=str(film))
    assert any("Running on" in line for line in process.stdout)
    with opened(f"http://127.0.0.1:{port}/stream.mjpg") as response:
        assert is_framed(next(pictures(response)))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in rest) == (0, False), rest


def test_the_page_loads_no_tensorflow_and_no_other_front_end() -> None:
    code = (
        "import sys, flask_app; print(sorted({'tensorflow', 'streamlit', 'tkinter', 'camera_app', "
        "'tk_app', 'streamlit_app'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(*browser_arguments(None, allow_camera=False)) as browser:
        yield browser


@contextmanager
def visit(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """The page, open while its server runs; what the browser complains of fails the test."""
    complaints: list[str] = []
    page = open_page(browser, "about:blank", **options)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
    page.goto(url)
    yield page
    page.close()
    assert complaints == []


PIXELS = """() => {
  const picture = document.getElementById("picture"), canvas = document.createElement("canvas");
  if (!picture.naturalWidth) return null;
  [canvas.width, canvas.height] = [64, 48];
  canvas.getContext("2d").drawImage(picture, 0, 0, 64, 48);
  return canvas.toDataURL();
}"""


@pytest.mark.browser
def test_the_picture_moves_and_the_name_and_the_bars_are_there(film: Path, browser: Any) -> None:
    with serving(str(film)) as url, visit(browser, url) as page:
        page.locator("#names", has_text=re.compile("^happy$")).wait_for()
        page.locator("tr.top th", has_text="happy").wait_for()
        first = wait_for(lambda: page.evaluate(PIXELS), "a picture")
        wait_for(lambda: page.evaluate(PIXELS) != first, "the picture to move")
        widths = page.eval_on_selector_all(
            ".bar", "bars => bars.map((bar) => bar.getBoundingClientRect().width)"
        )
        assert len(widths) == 7
        assert np.argmax(widths) == EXPRESSION_NAMES.index("happy")


@pytest.mark.browser
def test_a_phone_shows_the_bars_below_the_picture_and_nothing_overflows(
    film: Path, browser: Any
) -> None:
    with serving(str(film)) as url, visit(browser, url, viewport=PHONE) as page:
        page.locator("#names", has_text="happy").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        picture, bars = (
            page.locator("#picture").bounding_box(),
            page.locator("#faces").bounding_box(),
        )
        assert bars["y"] >= picture["y"] + picture["height"]


@pytest.mark.browser
def test_a_lost_camera_is_said_on_the_page_until_it_is_back(camera: Camera, browser: Any) -> None:
    with serving(camera) as url, visit(browser, url) as page:
        page.locator("#names", has_text="happy").wait_for()
        camera.plugged.clear()
        page.locator("#names", has_text="the source is lost").wait_for()
        camera.plugged.set()
        page.locator("#names", has_text="happy").wait_for()


@pytest.mark.browser
def test_a_hidden_page_lets_go_of_the_camera(camera: Camera, browser: Any) -> None:
    turn = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with serving(camera) as url, visit(browser, url) as page:
        page.locator("#names", has_text="happy").wait_for()
        page.evaluate(turn, True)
        wait_for(lambda: camera.closed == 1, "the camera to be released")
        page.evaluate(turn, False)
        wait_for(lambda: camera.opened == 2, "the camera to be opened again")


# What is said for less than a second may be missed by whoever looks now and then.
KEEP_SAID = """() => {
  const names = document.getElementById("names");
  window.said = [];
  new MutationObserver(() => said.push(names.textContent)).observe(names, { childList: true });
}"""


@pytest.mark.browser
def test_a_film_that_has_ended_is_played_again_on_a_click(short_film: Path, browser: Any) -> None:
    with serving(str(short_film), loop=False) as url, visit(browser, url) as page:
        for _ in range(2):
            page.locator("#names", has_text="The film has ended.").wait_for()
            assert page.evaluate(PIXELS), "the last picture stays"
            page.evaluate(KEEP_SAID)
            page.get_by_role("button", name="Play again").click()
            page.wait_for_function("() => said.includes('happy')")
