"""Each example, run as a reader runs it."""

import itertools
import re
import signal
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import supervision as sv

from fer import EXPRESSIONS
from tests.synthetic import FACE_BOXES, Face, FaceVideo, portrait, write_video

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
PICTURE_EXAMPLES = ("custom_annotator", "photograph")
PATIENCE_S = 60

Result = namedtuple("Result", "code out err")


def run(name, *arguments):
    """Run an example from another folder, without the line that LiteRT writes when it starts."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT.parent,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("INFO: Created Ten")]
    return Result(done.returncode, done.stdout.splitlines(), said)


@pytest.fixture
def picture(tmp_path):
    cv2.imwrite(str(tmp_path / "portrait.png"), portrait("astronaut"))
    return tmp_path / "portrait.png"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A face that smiles, looks serious, and smiles again."""
    smiling = Face("hopper laughs", center=(160, 120), sway=(10, 5), side=100)
    serious = replace(smiling, portrait="hopper")
    scenes = [
        FaceVideo((face,), seconds=1.5, fps=15, size=(320, 240)).frames()
        for face in (smiling, serious, smiling)
    ]
    path = tmp_path_factory.mktemp("films") / "smiles.mp4"
    return write_video(path, itertools.chain(*scenes), fps=15)


def pixels_of(expression, path):
    color = sv.Color.from_hex(expression.color).as_bgr()
    return np.argwhere((cv2.imread(str(path)) == color).all(axis=2))


def test_photograph_names_the_face_and_writes_an_annotated_copy(picture):
    result = run("photograph", picture)
    assert (result.code, result.err) == (0, [])
    assert re.match(r"\d+  \d+  \d+  \d+  happy \d+%  ", result.out[0])
    assert result.out[1] == f"Faces found: 1; see {picture.with_name('portrait-faces.png')}"
    happy = EXPRESSIONS[3]
    framed = len(pixels_of(happy, picture.with_name("portrait-faces.png")))
    assert framed > len(pixels_of(happy, picture)) + 200


def test_custom_annotator_draws_the_highest_bar_for_the_expression_of_the_face(picture):
    assert run("custom_annotator", picture).code == 0
    bottom = FACE_BOXES["astronaut"][3]
    target = picture.with_name("portrait-scores.png")
    heights = {}
    for expression in EXPRESSIONS:
        rows = pixels_of(expression, target)[:, 0]
        heights[expression.name] = np.unique(rows[rows > bottom]).size
    assert all(heights.values())
    assert max(heights, key=heights.get) == "happy"


def test_webcam_loop_says_each_change_once_and_when_it_came(film):
    result = run("webcam_loop", film)
    assert (result.code, result.err) == (0, [])
    times, faces, names = zip(
        *(re.fullmatch(r" *([\d.]+) s  face (\d+)  (\w+)", line).groups() for line in result.out),
        strict=True,
    )
    assert set(faces) == {"0"}
    assert all(before != after for before, after in itertools.pairwise(names))
    assert names[0] == names[-1] == "happy"
    assert float(times[0]) < 0.5
    assert 3.0 <= float(times[-1]) < 4.0


def test_count_smiles_counts_a_long_smile_once_and_another_again(film):
    result = run("count_smiles", film)
    assert (result.code, result.err) == (0, [])
    assert result.out == ["face 0: 2", "Smiles: 2"]


def test_a_video_without_a_face_has_no_smiles(tmp_path):
    film = write_video(tmp_path / "nobody.mp4", FaceVideo((), seconds=1, size=(320, 240)).frames())
    assert run("count_smiles", film) == (0, ["Smiles: 0"], [])


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_cannot_be_read_is_said_in_one_line(name, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    for path in (tmp_path / "missing.png", tmp_path / "empty.png"):
        result = run(name, path)
        assert (result.code, result.out, len(result.err)) == (1, [], 1)
        assert path.name in result.err[0]
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]


@pytest.mark.parametrize("name", PICTURE_EXAMPLES)
def test_a_copy_that_cannot_be_written_is_said_in_one_line(name, picture):
    suffix = {"photograph": "faces", "custom_annotator": "scores"}[name]
    picture.with_name(f"portrait-{suffix}.png").mkdir()
    result = run(name, picture)
    assert (result.code, len(result.err)) == (1, 1)
    assert f"portrait-{suffix}.png cannot be written" in result.err[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_control_c_ends_the_loop_without_a_traceback(tmp_path):
    scene = FaceVideo((Face(center=(160, 120), side=100),), seconds=2, fps=15, size=(320, 240))
    film = write_video(tmp_path / "long.mp4", list(scene.frames()) * 40)
    process = subprocess.Popen(
        [sys.executable, ROOT / "examples" / "webcam_loop.py", film],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "face 0" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said
