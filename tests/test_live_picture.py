"""What the live page makes of difficult pictures, in a real Chromium."""

from collections import Counter, defaultdict
from pathlib import Path

import cv2
import pytest

from fer.rows import read_rows
from tests.browser import chromium, fetch, open_page, press, start
from tests.streamlit_server import Server, browser_arguments
from tests.synthetic import Face, FaceVideo

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Ten pixels from one frame to the next where they meet, and twice in each loop of the camera.
PERIOD_S = 4.0
CROSSING = (
    Face("astronaut", sway=(200, 0), side=110, period_s=PERIOD_S),
    Face("hopper", sway=(-200, 0), side=130, period_s=PERIOD_S),
)


def write_camera(path: Path, video: FaceVideo) -> Path:
    """Write a video as the camera's picture, which loops."""
    with open(path, "wb") as film:
        width, height = video.size
        film.write(f"YUV4MPEG2 W{width} H{height} F{video.fps}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in video.frames():
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def test_two_who_cross_keep_their_ids_and_labels(server: Server, tmp_path: Path) -> None:
    camera = write_camera(tmp_path / "two.y4m", FaceVideo(CROSSING, seconds=PERIOD_S, fps=30))
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        holder = start(page)
        page.get_by_text("Face 2").first.wait_for()
        crossed_twice = f"() => document.querySelector('video').currentTime > {2 * PERIOD_S}"
        holder.wait_for_function(crossed_twice)
        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        rows = list(read_rows(fetch(page, "expressions.csv", tmp_path)))
    shown: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["face"] not in ("", "-1") and row["state"] == "ok":
            shown[row["face"]][row["expression"]] += 1
    assert len(shown) == 2, shown
    smiling, serious = sorted(shown.values(), key=lambda counts: -counts["happy"])
    assert smiling["happy"] > 0.9 * smiling.total(), shown
    assert serious["happy"] < 0.1 * serious.total(), shown


def test_a_dark_room_is_named(server: Server, tmp_path: Path) -> None:
    dark = FaceVideo((Face("astronaut", side=150),), seconds=1, fps=30, light=0.15, noise=1)
    camera = write_camera(tmp_path / "dark.y4m", dark)
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url)
        start(page)
        page.locator(".fer-face caption", has_text="oo dark").first.wait_for()
        assert page.get_by_text("happy 9").count() == 0
