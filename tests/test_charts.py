"""The timeline under a film, in a real Chromium."""

from pathlib import Path

import cv2
import pytest

from tests.browser import chromium, open_page, upload
from tests.streamlit_server import Server, browser_arguments
from tests.synthetic import portrait


@pytest.mark.browser
@pytest.mark.slow
def test_a_film_of_one_frame_says_what_that_shows(server: Server, tmp_path: Path) -> None:
    picture = portrait("astronaut")
    size = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
    film = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, size)
    film.write(picture[: size[1], : size[0]])
    film.release()
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/video")
        upload(page, tmp_path / "a.mp4")
        page.get_by_role("button", name="Read the film").click()
        words = page.locator(".fer-film output")
        words.get_by_text("0:00: ").wait_for()
        assert "undefined" not in words.inner_text()
