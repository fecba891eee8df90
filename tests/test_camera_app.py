"""The window, on a real X server, under real keys."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import camera_app
from fer import EXPRESSIONS, ExpressionPipeline
from fer.avatars import AVATAR_NAMES, load_avatar
from fer.media import open_source
from fer.playback import play
from fer.returning import no_picture
from fer.rows import read_rows
from tests.cameras import Camera
from tests.disks import small_disk
from tests.films import write_turned_film
from tests.synthetic import Face, FaceVideo, write_video
from tests.xserver import Program, managing_windows, press_close_button, running_xserver, screenshot

TITLE = camera_app._TITLE
FPS = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="X11 is Linux's")


@pytest.fixture(scope="module")
def display():
    with running_xserver() as name, managing_windows(name):
        yield name


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Half a minute with a face and one without, and a second with one."""
    folder = tmp_path_factory.mktemp("videos")
    face = Face(center=(160, 120), sway=(20, 10), side=100)
    for name, faces in (("face", (face,)), ("nobody", ())):
        scene = FaceVideo(faces, seconds=3, fps=FPS, size=(320, 240))
        write_video(folder / f"{name}.mp4", list(scene.frames()) * 20, FPS)
    write_video(folder / "short.mp4", replace(scene, faces=(face,), seconds=1).frames(), FPS)
    return folder


@pytest.fixture
def start(display):
    with ExitStack() as running:

        def run(*arguments, on=display, program=("camera_app.py",)):
            return running.enter_context(Program(on, TITLE, *program, *arguments))

        yield run


def drawn(picture, nearly=0):
    """How many pixels have the colour of an expression, or nearly, as after H.264."""
    colors = [[int(e.color[i : i + 2], 16) for i in (5, 3, 1)] for e in EXPRESSIONS]
    apart = [np.abs(picture.astype(int) - color).max(axis=2) for color in colors]
    return max((levels <= nearly).sum() for levels in apart)


def avatar(picture):
    """How many pixels have exactly the colour of which an avatar has most."""
    counts = [0]
    for name in AVATAR_NAMES:
        drawing = load_avatar(name, 100).reshape(-1, 4)
        colors, found = np.unique(drawing[drawing[:, 3] == 255], axis=0, return_counts=True)
        counts.append(np.all(picture == colors[found.argmax(), :3], axis=2).sum())
    return max(counts)


@pytest.mark.display
@pytest.mark.parametrize("video", ["face", "nobody"])
@pytest.mark.parametrize("key", ["q", "Escape"])
def test_a_key_quits_with_a_face_in_view_and_without(start, videos, tmp_path, video, key):
    app = start("--source", videos / f"{video}.mp4")
    app.window()
    if video == "face":
        screen = tmp_path / "screen.png"
        app.wait_for(lambda: drawn(screenshot(app.display, screen)) > 200, "a drawn face")
    app.press(key)
    assert app.end() == (0, [])


@pytest.mark.display
@pytest.mark.parametrize("video", ["face", "nobody"])
def test_the_close_button_quits_with_a_face_in_view_and_without(start, display, videos, video):
    app = start("--source", videos / f"{video}.mp4")
    press_close_button(display, app.window())
    assert app.end() == (0, [])


@pytest.mark.display
def test_another_key_does_not_quit(start, videos):
    app = start("--source", videos / "face.mp4")
    app.press("x")
    with pytest.raises(subprocess.TimeoutExpired):
        app.process.wait(timeout=1)
    app.press("q")
    assert app.end() == (0, [])


@pytest.mark.display
def test_a_file_that_ends_exits_0_and_is_not_played_faster_than_it_was_filmed(start, videos):
    app = start("--source", videos / "short.mp4")
    app.window()
    begun = time.monotonic()
    assert app.end() == (0, [])
    assert time.monotonic() - begun > 0.5


@pytest.mark.display
@pytest.mark.parametrize("ended_by", ["q", "Ctrl-C", "SIGTERM"])
def test_what_is_shown_is_kept_as_a_video_and_rows(start, videos, tmp_path, ended_by):
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    app = start("--source", videos / "face.mp4", "--record", out, "--rows", rows)
    app.window()
    partial = tmp_path / "rows.partial.csv"
    app.wait_for(lambda: partial.exists() and partial.stat().st_size > 2000, "rows")
    if ended_by == "q":
        app.press("q")
    else:
        app.process.send_signal(signal.SIGINT if ended_by == "Ctrl-C" else signal.SIGTERM)
    assert app.end() == (0 if ended_by == "q" else 130, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "rows.csv"]
    with open_source(str(out)) as frames:
        scenes, times = zip(*frames, strict=True)
    assert drawn(scenes[-1], nearly=12) > 200
    kept = [float(row["time_s"]) for row in read_rows(rows)]
    # The signal may come between a frame and its row.
    assert len(kept) > 5 and times[: len(kept)] == pytest.approx(kept, abs=0.002)
    assert len(times) - len(kept) in (0, 1)


@pytest.mark.display
@pytest.mark.parametrize("view", ["beside", "instead"])
def test_avatars_are_shown(start, videos, tmp_path, view):
    app = start("--source", videos / "face.mp4", "--avatars", view)
    app.window()
    screen = tmp_path / "screen.png"
    app.wait_for(lambda: avatar(screenshot(app.display, screen)) > 300, "an avatar")
    app.press("q")
    assert app.end() == (0, [])


@pytest.mark.display
def test_the_parts_that_the_network_goes_by_glow_on_request(start, videos, tmp_path):
    out = tmp_path / "out.mp4"
    app = start("--source", videos / "short.mp4", "--record", out, "--attention")
    assert app.end() == (0, [])
    with open_source(str(videos / "short.mp4")) as film, open_source(str(out)) as shown:
        before, after = (next(iter(frames))[0] for frames in (film, shown))
    (box,) = ExpressionPipeline(live=False)(before).xyxy.astype(int)
    face = np.s_[box[1] + 15 : box[3] - 15, box[0] + 15 : box[2] - 15]
    change = np.abs(after[face].astype(int) - before[face]).sum(axis=2)
    assert (change > 60).mean() > 0.3


@pytest.mark.display
@pytest.mark.parametrize(
    ("option", "name"), [("--record", "no/out.mp4"), ("--record", "out.avi"), ("--rows", "a.txt")]
)
@pytest.mark.parametrize("on", ["", ":63999"])
def test_what_cannot_be_kept_is_said_in_one_line(
    start, display, videos, tmp_path, option, name, on
):
    path, film = tmp_path / name, videos / "face.mp4"
    status, said = start("--source", film, option, path, on=on or display).end()
    assert (status, len(said)) == (1, 1)
    assert name in said[0] and "expected" in said[0], "before the window is tried"
    assert list(tmp_path.iterdir()) == []


WITH_CAMERA = """
import cv2, pathlib, sys, typer, camera_app
from tests.cameras import Camera

cv2.VideoCapture = Camera(pathlib.Path(sys.argv.pop(1)))
typer.run(camera_app.main)
"""


@pytest.mark.display
@pytest.mark.parametrize("ended", ["once it is back", "while it is gone"])
def test_a_camera_that_vanishes_is_waited_for_and_what_was_shown_is_kept(start, tmp_path, ended):
    face = Face(center=(160, 120), sway=(0, 0), side=100)
    frames = list(FaceVideo((face,), seconds=1, fps=5, size=(320, 240)).frames())
    camera = Camera(tmp_path / "camera.npy")
    camera.plug_in(frames)
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    program = ("-c", WITH_CAMERA, camera.cable)
    app = start("--record", out, "--rows", rows, program=program)
    app.window()
    screen = tmp_path / "screen.png"
    app.wait_for(lambda: drawn(screenshot(app.display, screen)) > 200, "a drawn face")
    camera.unplug()
    app.wait_for(lambda: says_no_picture(screenshot(app.display, screen)), "the loss")
    if ended == "once it is back":
        camera.plug_in(frames)
        app.wait_for(lambda: drawn(screenshot(app.display, screen)) > 200, "a drawn face again")
    app.press("q")
    assert app.end() == (0, [])
    with open_source(str(out)) as recorded:
        scenes, times = zip(*recorded, strict=True)
    lost = [says_no_picture(scene, nearly=12) for scene in scenes]
    assert (lost[0], lost[-1]) == (False, ended == "while it is gone") and any(lost)
    kept = {int(row["frame"]): float(row["time_s"]) for row in read_rows(rows)}
    assert [number not in kept for number in range(len(lost))] == lost
    # The recording begins with the first frame, a moment after the camera was opened.
    shown_s = [times[number] + kept[0] for number in kept]
    assert shown_s == pytest.approx([*kept.values()], abs=0.002)


def says_no_picture(picture, nearly=0):
    """Whether most of it has the ground of the picture that says that there is none."""
    ground = no_picture((320, 240))[0, 0].astype(int)
    return (np.abs(picture.astype(int) - ground).max(axis=2) <= nearly).sum() > 50_000


@pytest.mark.display
def test_a_film_that_is_turned_round_in_the_middle_is_shown_and_kept_to_its_end(start, tmp_path):
    film, out, rows = (tmp_path / name for name in ("turned.ts", "out.mp4", "rows.csv"))
    write_turned_film(film)
    app = start("--source", film, "--record", out, "--rows", rows)
    assert app.end() == (0, [])
    with open_source(str(out)) as recorded:
        scenes = [scene for scene, _ in recorded]
    assert {scene.shape for scene in scenes} == {(240, 320, 3)}
    assert drawn(scenes[-1], nearly=12) > 100
    assert scenes[-1][:, :60].mean() < 3 < scenes[0][:, :60].mean(), "bars beside the upright one"
    lowest = [float(row["y2"]) for row in read_rows(rows) if row["y2"]]
    assert lowest[0] < 240 < lowest[-1] < 320


@pytest.mark.display
def test_a_full_disk_ends_it_in_one_sentence_and_what_was_recorded_plays(start, tmp_path):
    noise = FaceVideo((), seconds=2, fps=FPS, size=(160, 120), noise=60)
    film = write_video(tmp_path / "noise.mp4", [*noise.frames()] * 10, FPS)
    with small_disk(tmp_path / "disk", 300) as disk:
        out, rows = disk / "out.mp4", disk / "rows.csv"
        status, said = start("--source", film, "--record", out, "--rows", rows).end()
        assert (status, len(said)) == (1, 1)
        assert "no space left" in said[0] and "is kept" in said[0]
        assert sorted(path.name for path in disk.iterdir()) == ["out.mp4", "rows.csv"]
        with open_source(str(out)) as frames:
            assert 10 <= len([*frames]) <= len([*read_rows(rows)])


@pytest.mark.display
def test_the_film_that_is_shown_is_not_recorded_over(start, videos):
    film = videos / "short.mp4"
    before = film.read_bytes()
    status, said = start("--source", film, "--record", film).end()
    assert (status, len(said)) == (1, 1) and "choose another name" in said[0]
    assert film.read_bytes() == before


@pytest.mark.display
def test_control_c_exits_130(start, videos):
    app = start("--source", videos / "nobody.mp4")
    app.window()
    app.process.send_signal(signal.SIGINT)
    assert app.end() == (130, [])


def no_source(folder, name):
    (folder / "text.mp4").write_text("hello\n")
    (folder / "folder").mkdir()
    return {"camera": "63"}.get(name, folder / name)


@pytest.mark.display
@pytest.mark.parametrize("name", ["camera", "text.mp4", "folder", "missing.mp4"])
def test_what_cannot_be_shown_is_said_in_one_line(start, tmp_path, name):
    status, said = start("--source", no_source(tmp_path, name)).end()
    assert (status, len(said)) == (1, 1)
    assert ("63" if name == "camera" else name) in said[0]


@pytest.mark.display
def test_a_broken_model_is_said_in_one_line(start, videos, tmp_path):
    (tmp_path / "fer.tflite").write_bytes(b"no model")
    status, said = start("--source", videos / "face.mp4", "--model", tmp_path).end()
    assert (status, len(said)) == (1, 1)
    assert "card.json" in said[0]


@pytest.mark.parametrize("name", ["", ":63999", "nonsense"])
def test_without_a_display_there_is_one_line_and_no_abort_and_no_file(
    start, videos, tmp_path, name
):
    files = "--record", tmp_path / "out.mp4", "--rows", tmp_path / "rows.csv"
    status, said = start("--source", videos / "face.mp4", *files, on=name).end()
    assert (status, len(said)) == (1, 1)
    assert "display" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_an_opencv_without_windows_is_said_in_one_line(monkeypatch, videos):
    def not_implemented(*_):
        raise cv2.error("The function is not implemented. Rebuild the library with ...")

    monkeypatch.setattr(camera_app, "require_display", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", not_implemented)
    result = CliRunner().invoke(_typer(), ["--source", str(videos / "face.mp4")])
    assert result.exit_code == 1
    assert "opencv-python-headless" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_name_that_is_too_long_is_said_in_one_line_and_leaves_no_recording(monkeypatch, tmp_path):
    monkeypatch.setattr(camera_app, "require_display", lambda: None)
    out = tmp_path / "out.mp4"
    result = CliRunner().invoke(_typer(), ["--source", f"{'x' * 300}.mp4", "--record", str(out)])
    assert result.exit_code == 1
    assert "too long" in result.stderr and len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def _typer():
    app = camera_app.typer.Typer()
    app.command()(camera_app.main)
    return app


class FakeWindow:
    """Keeps what is shown and quits after some frames."""

    def __init__(self, frames):
        self.left, self.scenes = frames, []

    def show(self, scene):
        self.scenes.append(scene.copy())

    def quits(self, until=0.0):
        time.sleep(max(0.0, until - time.monotonic()))
        return len(self.scenes) >= self.left


class SeesNothing:
    """A pipeline that finds no face, slowly."""

    def __init__(self, seconds=0.0):
        self.seconds, self.times, self.frames = seconds, [], []

    def __call__(self, frame, time_s):
        time.sleep(self.seconds)
        self.times.append(time_s)
        self.frames.append(frame.copy())
        return camera_app.ExpressionPipeline(live=False)(np.zeros((48, 48, 3), np.uint8))


@pytest.mark.parametrize("mirror", [True, False])
def test_a_frame_is_mirrored_before_anything_is_seen_or_drawn(mirror):
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:, 600:] = 255
    window, pipeline = FakeWindow(1), SeesNothing()
    frames = [(frame.copy(), 0.0)]
    camera_app.show(play(frames, pipeline, live=False, mirror=mirror), window)
    expected = frame[:, ::-1] if mirror else frame
    np.testing.assert_array_equal(pipeline.frames[0], expected)
    np.testing.assert_array_equal(window.scenes[0][100:], expected[100:])


def test_no_frame_rate_is_told_before_there_is_one():
    black = np.zeros((480, 640, 3), np.uint8)
    window = FakeWindow(3)
    frames = [(black.copy(), number / 10) for number in range(3)]
    camera_app.show(play(frames, SeesNothing(), live=False), window)
    assert [scene.any() for scene in window.scenes] == [False, True, True]


def test_a_slow_machine_drops_frames_and_keeps_the_pace():
    frames = [(np.zeros((48, 64, 3), np.uint8), number / 50) for number in range(100)]
    window, pipeline = FakeWindow(1000), SeesNothing(seconds=0.1)
    begun = time.monotonic()
    camera_app.show(play(frames, pipeline, live=False), window)
    # Each frame takes the pipeline 0.1 s: all of them would take ten.
    assert 1.8 < time.monotonic() - begun < 8
    assert 5 <= len(window.scenes) < 50
    assert pipeline.times == sorted(pipeline.times)
