"""The sample: what the page shows a visitor without a camera."""

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer import ExpressionPipeline, FaceState
from fer.pictures import read_picture
from fer.sample import SAMPLE_PHOTOS, SAMPLE_VIDEO

ROOT = Path(__file__).resolve().parent.parent


def frames(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


@pytest.mark.parametrize(("path", "says"), [*zip(SAMPLE_PHOTOS, ["happy", "neutral"], strict=True)])
def test_each_portrait_is_small_and_shows_one_face(path: Path, says: str) -> None:
    assert path.stat().st_size < 100_000
    found = ExpressionPipeline(live=False)(read_picture(path))
    assert found.data["class_name"].tolist() == [says]


def test_every_file_has_its_source() -> None:
    sources = SAMPLE_VIDEO.with_name("SOURCES.md").read_text(encoding="utf-8")
    for path in (*SAMPLE_PHOTOS, SAMPLE_VIDEO):
        assert f"`{path.name}`" in sources


def test_the_film_is_one_that_browsers_play_and_small() -> None:
    assert SAMPLE_VIDEO.stat().st_size < 700_000
    with av.open(str(SAMPLE_VIDEO)) as film:
        video = film.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (640, 480)
        assert 11.9 < film.duration / av.time_base < 12.1


def test_the_film_begins_where_it_ends() -> None:
    pictures = np.array([cv2.resize(frame, (160, 120)) for frame in frames(SAMPLE_VIDEO)], int)
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    assert np.abs(pictures[0] - pictures[-1]).mean() < 1.5 * steps.max()


def test_the_film_shows_what_the_page_can_say() -> None:
    """Two faces that keep their ids; one is too dark for a while, then the other is unsure."""
    pipeline, states = ExpressionPipeline(), defaultdict(Counter)
    with av.open(str(SAMPLE_VIDEO)) as film:
        for frame in film.decode(video=0):
            faces = pipeline(frame.to_ndarray(format="bgr24"), frame.time)
            for row, face in enumerate(faces.tracker_id):
                states[face][faces.data["state"][row]] += 1
    assert set(states) - {-1} == {0, 1}
    collins, hopper = sorted((0, 1), key=lambda face: states[face][FaceState.DARK], reverse=True)
    assert 20 < states[collins][FaceState.DARK] < 60, "frames of 240"
    assert states[hopper][FaceState.DARK] == 0
    assert 10 < states[hopper][FaceState.UNSURE] < 80
    assert min(states[face][FaceState.OK] for face in (collins, hopper)) > 120


def test_the_script_makes_these_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "sample", tmp_path], check=True)
    for path in SAMPLE_PHOTOS:
        made = tmp_path / path.name
        unlike = np.abs(read_picture(made).astype(int) - read_picture(path)).mean()
        assert unlike < 1, path.name
    pairs = list(zip(frames(tmp_path / SAMPLE_VIDEO.name), frames(SAMPLE_VIDEO), strict=True))
    assert max(np.abs(made.astype(int) - kept).mean() for made, kept in pairs) < 3
