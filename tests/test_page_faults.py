"""What breaks around the live page while a visitor's stream runs, in a real Chromium."""

import re
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fer.web import advice, panel
from fer.web.stream import LiveStream
from fer.web.visit import Visit
from tests.browser import chromium, open_page, press, says_happy, see_frames, start
from tests.disks import small_disk
from tests.streamlit_server import Server, browser_arguments, portrait, running_page

# A camera that can be pulled out and put in again.
KEEP_CAMERA = """
const media = navigator.mediaDevices, ask = media?.getUserMedia.bind(media);
const tracks = [];
let unplugged = false;
if (ask) media.getUserMedia = async (wish) => {
  if (unplugged) throw new DOMException("Requested device not found", "NotFoundError");
  const stream = await ask(wish);
  tracks.push(...stream.getTracks());
  return stream;
};
window.unplug = () => {
  unplugged = true;
  for (const track of tracks.splice(0)) {
    track.stop();
    track.dispatchEvent(new Event("ended"));  // which stop() keeps to itself
  }
};
window.plug = () => { unplugged = false; };
"""


@pytest.mark.browser
@pytest.mark.slow
def test_a_camera_that_vanishes_amid_the_stream_is_told_and_used_again_when_it_is_back(
    camera: Path, server: Server
) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, server.url, KEEP_CAMERA)
        holder = start(page)
        says_happy(page)
        holder.evaluate("unplug()")
        page.get_by_text(panel.LOST).wait_for()
        assert not page.locator(".fer-face").count(), "a face is named that nobody sees"
        press(page, "STOP")
        page.get_by_text("the program saw").wait_for()
        page.get_by_text(panel.LOST).wait_for(state="detached")
        press(page, "START")
        page.get_by_text(advice.NO_CAMERA).wait_for()
        holder.evaluate("plug()")
        see_frames(start(page), 5)
        says_happy(page)
        assert not page.get_by_text(panel.LOST).count()


def test_a_disk_that_fills_while_a_visitor_records_ends_the_recording_and_not_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "disk", 600) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        visit = Visit()
        try:
            stream = LiveStream(visit)
            processor = stream.begin(None)
            stream.record()
            capture = stream.capture
            assert capture
            shown = 0
            for number, frame in enumerate(noisy_frames(80)):
                shown += not capture.over
                answer = processor.recv(frame, number / 10)
                assert (answer.width, answer.height) == (320, 400)
            assert capture.over and "no room left" in (capture.problem or "")
            assert [*visit.folder.glob("recording*")] == [capture.path]
            with av.open(str(capture.path)) as film:
                assert 10 < sum(1 for _ in film.decode(video=0)) <= shown < 80
            processor.on_ended()
        finally:
            visit.end()
        assert processor.latest and len(processor.latest.detections) == 1
        assert not [record for record in caplog.records if record.exc_info]
        assert not [*disk.iterdir()]


def noisy_frames(count: int) -> Iterator[av.VideoFrame]:
    """A face above noise, which fills a disk soon."""
    noise = np.random.default_rng(0)
    for number in range(count):
        below = noise.integers(0, 255, (80, 320, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(np.vstack([portrait(), below]), format="bgr24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        yield frame


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_that_is_ended_while_a_visitor_records_ends_in_time_and_leaves_nothing(
    camera: Path, tmp_path: Path
) -> None:
    with (
        running_page(tmp_path / "log.txt") as server,
        chromium(*browser_arguments(camera)) as browser,
    ):
        page = open_page(browser, server.url)
        start(page)
        says_happy(page)
        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_text(re.compile("Recording 0:(0[1-9]|[1-5].)")).wait_for()
        assert [*server.temporary.glob("fer-visit-*/recording.partial.mp4")]
        assert server.end() == 0
        assert not [*server.temporary.iterdir()]
        log = server.log.read_text()
        assert "stream ended" in log and "Traceback" not in log
