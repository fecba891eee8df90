"""A recording on request: its length, its limit, and what is left when it fails."""

from pathlib import Path

import av
import numpy as np
import pytest

from fer.errors import OutputError
from fer.web import capture as module
from fer.web.capture import Capture
from tests.disks import small_files
from tests.synthetic import FaceVideo

FRAMES = list(FaceVideo((), seconds=1, fps=10, size=(320, 240)).frames())


def length_s(path: Path) -> float:
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        return container.duration / av.time_base


def test_a_recording_is_as_long_as_what_was_recorded(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "recording.mp4")
    for number in range(45):
        capture.write(FRAMES[number % 10].copy(), 5000 + number / 15)
    assert capture.seconds == pytest.approx(44 / 15) and not capture.over
    capture.stop()
    capture.stop()
    capture.write(FRAMES[0], 6000.0)
    assert capture.over and capture.problem is None
    assert length_s(capture.path) == pytest.approx(3.0, abs=0.1)


def test_a_recording_ends_at_its_limit_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 120.0)
    capture = Capture(tmp_path / "recording.mp4")
    for second in (0.0, 60.0, 119.0, 121.0, 122.0):
        capture.write(FRAMES[0].copy(), second)
    assert capture.over and "limit of 2 minutes" in (capture.problem or "")
    assert length_s(capture.path) == pytest.approx(119, abs=0.1)


def test_a_full_disk_ends_a_recording_and_keeps_its_beginning(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    with small_files(400):
        capture = Capture(tmp_path / "recording.mp4")
        for number in range(200):
            capture.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 10)
        assert capture.over and "no room left" in (capture.problem or "")
        assert str(tmp_path) not in (capture.problem or ""), "the path is no business of a visitor"
        assert length_s(capture.path) > 0


def test_a_folder_that_vanishes_ends_a_recording(tmp_path: Path) -> None:
    folder = tmp_path / "visit"
    folder.mkdir()
    capture = Capture(folder / "recording.mp4")
    capture.write(FRAMES[0].copy(), 0.0)
    (folder / "recording.partial.mp4").unlink()
    folder.rmdir()
    capture.stop()
    assert capture.over and capture.problem


def test_a_recording_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "recording.mp4")
    capture.stop()
    assert capture.over and not list(tmp_path.iterdir())


def test_a_recording_that_cannot_begin_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        Capture(tmp_path / "gone" / "recording.mp4")
