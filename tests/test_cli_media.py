"""`fer image` and `fer video`."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import zlib

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from fer import EXPRESSIONS
from fer.cli import media
from fer.media import open_source
from fer.pictures import MAX_PIXELS, SUFFIXES, read_picture
from fer.rows import COLUMNS, read_rows
from tests import command_line
from tests.cameras import Camera
from tests.command_line import ROOT, end, start, wait_for
from tests.disks import small_files
from tests.films import SMALL, even_times, heard, set_length, write_film, write_turned_film
from tests.synthetic import Face, FaceVideo, portrait

fer = command_line.fer

FPS = 10


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two seconds and two minutes with a face and a tone, and two seconds without a face."""
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "face.mp4", even_times(2, FPS))
    write_film(folder / "long.mp4", even_times(120, FPS))
    write_film(folder / "nobody.mp4", even_times(2, FPS), sound=None, faces=())
    return folder


@pytest.fixture
def photographs(tmp_path):
    """A folder with two people, one of them in a folder of its own."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    cv2.imwrite(str(folder / "astronaut.jpg"), portrait("astronaut"))
    cv2.imwrite(str(folder / "more" / "hopper.png"), portrait("hopper"))
    (folder / "notes.txt").write_text("no picture\n")
    return folder


def drawn(picture):
    """How many pixels have nearly the colour of an expression, the label's ground."""
    colors = [[int(e.color[i : i + 2], 16) for i in (5, 3, 1)] for e in EXPRESSIONS]
    return max((np.abs(picture.astype(int) - color).max(axis=2) < 12).sum() for color in colors)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Photographs


def test_each_face_of_a_photograph_is_a_line(fer, photographs, monkeypatch):
    monkeypatch.chdir(photographs)
    cv2.imwrite("wall.png", np.full((90, 90, 3), 200, np.uint8))
    both = np.hstack([portrait("astronaut"), portrait("astronaut")])
    cv2.imwrite("z.png", both)
    done = fer("image", ".")
    assert (done.code, done.err) == (0, "")
    seen, hopper, wall, left, right = done.out.splitlines()
    assert re.fullmatch(r"astronaut\.jpg +face 0 +\d+ pixels  happy \d+ ?%", seen)
    assert hopper.startswith("more/hopper.png  face 0 ") and "neutral" in hopper
    assert re.fullmatch(r"wall\.png +no face", wall)
    assert left.startswith("z.png ") and right.startswith("z.png ")
    assert [line.index("face") for line in (seen, hopper, left, right)] == [17] * 4


def test_lines_come_as_the_photographs_are_read(photographs):
    for number in range(200):
        os.link(photographs / "astronaut.jpg", photographs / f"{number}.jpg")
    process = start("image", photographs)
    assert "happy" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    done = end(process)
    assert (done.code, done.err) == (130, "")
    assert all("happy" in line for line in done.out.splitlines())


def test_a_name_with_brackets_is_printed_as_it_is(fer, photographs, monkeypatch):
    monkeypatch.chdir(photographs)
    os.rename("astronaut.jpg", "astronaut [red].jpg")
    assert "astronaut [red].jpg" in fer("image", "astronaut [red].jpg").out


def test_hidden_files_are_passed_over(fer, photographs):
    (photographs / ".thumbnails").mkdir()
    for name in (".thumbnails/a.jpg", "._astronaut.jpg"):
        (photographs / name).write_bytes(b"")
    done = fer("image", photographs, "--json")
    assert (done.code, len(json.loads(done.out))) == (0, 2)


def test_annotated_copies_keep_the_order_of_the_folders(fer, photographs, tmp_path):
    assert fer("image", photographs, "--out", tmp_path / "new" / "copies").code == 0
    copies = tmp_path / "new" / "copies"
    assert names(copies) == ["astronaut.jpg", "more/hopper.png"]
    copy, original = read_picture(copies / "more/hopper.png"), portrait("hopper")
    assert copy.shape == original.shape
    assert drawn(copy) > drawn(original) + 500


def test_copies_written_into_the_folder_are_not_read_the_next_time(fer, photographs):
    for _ in range(2):
        assert fer("image", photographs, "--out", photographs / "copies").code == 0
    assert names(photographs / "copies") == ["astronaut.jpg", "more/hopper.png"]


def test_json_is_all_that_is_printed(fer, photographs):
    done = fer("image", photographs, "--json")
    rows = json.loads(done.out)
    assert [row["expression"] for row in rows] == ["happy", "neutral"]
    assert list(rows[0]) == list(COLUMNS)


@pytest.mark.parametrize("option", ["--csv", "--rows"])
def test_rows_of_photographs(fer, photographs, tmp_path, option):
    assert fer("image", photographs, option, tmp_path / "rows.csv").code == 0
    rows = list(read_rows(tmp_path / "rows.csv"))
    assert [row["expression"] for row in rows] == ["happy", "neutral"]


def test_a_face_can_be_blurred_in_the_copy(fer, photographs, tmp_path):
    fer("image", photographs / "astronaut.jpg", "--out", tmp_path / "a", "--blur")
    fer("image", photographs / "astronaut.jpg", "--out", tmp_path / "b", "--faces", "blur")
    blurred = read_picture(tmp_path / "a" / "astronaut.jpg")
    assert np.array_equal(blurred, read_picture(tmp_path / "b" / "astronaut.jpg"))
    eyes = np.s_[95:115, 200:250]
    assert cv2.Laplacian(blurred[eyes], cv2.CV_64F).std() < 0.5 * (
        cv2.Laplacian(portrait("astronaut")[eyes], cv2.CV_64F).std()
    )


def rotated(path):
    picture = Image.fromarray(np.rot90(portrait("astronaut")[..., ::-1], 1).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture.save(path, exif=exif, quality=95)


def photograph(name):
    return Image.fromarray(portrait(name)[..., ::-1].copy())


def save(mode):
    return lambda path: photograph("astronaut").convert(mode).save(path)


def nameless(path):
    photograph("astronaut").save(path, format="PNG")


def deep(path):
    grey = cv2.cvtColor(portrait("astronaut"), cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(path), grey.astype(np.uint16) * 257)


def animated(path):
    frames = [photograph(name).resize((512, 512)) for name in ("astronaut", "hopper")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("turned.jpg", rotated),
        ("grey.png", save("L")),
        ("deep.png", deep),
        ("deep.tiff", deep),
        ("cmyk.jpg", save("CMYK")),
        ("palette.gif", save("P")),
        ("alpha.png", save("RGBA")),
        ("animated.webp", animated),
        ("animated.gif", animated),
        ("bits.bmp", save("RGB")),
        ("no suffix", nameless),
    ],
)
def test_every_kind_of_picture_is_read_upright_in_bgr(fer, tmp_path, name, write):
    write(tmp_path / name)
    picture, expected = read_picture(tmp_path / name), portrait("astronaut")
    assert picture.dtype == np.uint8 and picture.shape == expected.shape
    if "grey" in name or "deep" in name:
        expected = cv2.cvtColor(cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert np.abs(picture.astype(int) - expected).mean() < (20 if name == "palette.gif" else 6)
    assert fer("image", tmp_path / name, "--out", tmp_path / "copies").code == 0
    assert len(names(tmp_path / "copies")) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_of_a_single_pixel_shows_no_face(fer, tmp_path, suffix):
    path, rows = tmp_path / f"pixel{suffix}", tmp_path / "rows.csv"
    Image.new("RGB", (1, 1), (200, 200, 200)).save(path)
    picture = read_picture(path)
    assert picture.shape == (1, 1, 3) and np.abs(picture.astype(int) - 200).max() < 3
    done = fer("image", path, "--out", tmp_path / "copies", "--rows", rows)
    assert (done.code, done.err) == (0, "") and "no face" in done.out
    assert read_picture(tmp_path / "copies" / path.name).shape == (1, 1, 3)
    assert [row["face"] for row in read_rows(rows)] == [""]


def huge(path):
    """A PNG that claims 60,000 by 60,000 pixels, in a few bytes."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(999)))]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def truncated(path):
    cv2.imwrite(str(path), portrait("astronaut"))
    path.write_bytes(path.read_bytes()[:5000])


BAD_PICTURES = {
    "missing.jpg": (None, "does not exist"),
    "empty.jpg": (lambda path: path.write_bytes(b""), "is no picture"),
    "text.jpg": (lambda path: path.write_text("hello\n"), "is no picture"),
    "truncated.jpg": (truncated, "cannot be read"),
    "truncated.png": (truncated, "cannot be read"),
    "huge.png": (huge, "too large"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_among_good_ones_is_one_sentence_and_the_others_are_done(
    fer, photographs, tmp_path, name
):
    write, words = BAD_PICTURES[name]
    if write:
        write(tmp_path / name)
    good = photographs / "astronaut.jpg"
    done = fer("image", tmp_path / name, good, "--out", tmp_path / "copies", "--json")
    assert done.is_one_sentence(name, words), done.err
    assert [row["expression"] for row in json.loads(done.out)] == ["happy"]
    assert names(tmp_path / "copies") == ["astronaut.jpg"]


def test_where_nothing_could_be_read_no_empty_table_is_shown(fer, tmp_path):
    done = fer("image", tmp_path / "gone.jpg")
    assert (done.code, done.out) == (1, "")


def test_a_picture_just_too_large_is_refused_and_one_just_small_enough_is_not():
    assert 108_000_000 < MAX_PIXELS < 60_000 * 60_000


def test_a_folder_without_pictures(fer, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture\n")
    assert fer("image", tmp_path).is_one_sentence(str(tmp_path), "holds no")


def test_a_picture_is_never_overwritten(fer, photographs):
    before = (photographs / "astronaut.jpg").read_bytes()
    done = fer("image", photographs / "astronaut.jpg", "--out", photographs)
    assert done.is_one_sentence("astronaut.jpg", "choose another name")
    assert (photographs / "astronaut.jpg").read_bytes() == before


def test_two_pictures_of_one_name_are_not_written_over_each_other(fer, photographs, tmp_path):
    both = [photographs / "astronaut.jpg", photographs / "more" / "astronaut.jpg"]
    both[1].write_bytes(both[0].read_bytes())
    assert fer("image", *both, "--out", tmp_path / "copies").is_one_sentence("Two pictures")


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "file/copies"],
        ["--out", "file"],
        ["--csv", "file/rows.csv"],
        ["--csv", "no/rows.csv"],
        ["--csv", "rows.txt"],
    ],
)
def test_a_place_that_cannot_be_written_to(fer, photographs, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert fer("image", photographs, *options).is_one_sentence(options[1].split("/")[0])
    assert names(tmp_path) == ["file", *(f"photographs/{n}" for n in names(photographs))]


def test_copies_on_a_full_disk(fer, photographs, tmp_path):
    with small_files(20):
        done = fer("image", photographs, "--out", tmp_path / "copies")
    assert done.is_one_sentence("too large")
    assert names(tmp_path / "copies") == []


# Videos


def length_s(path):
    with av.open(str(path)) as container:
        return container.duration / av.time_base


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_video_becomes_an_annotated_copy_and_rows_for_every_frame(fer, films, tmp_path, suffix):
    out, rows = tmp_path / "out.mp4", tmp_path / f"rows.{suffix}"
    done = fer("video", films / "face.mp4", "--out", out, "--rows", rows)
    assert (done.code, done.err) == (0, "")
    assert length_s(out) == pytest.approx(length_s(films / "face.mp4"), abs=0.05)
    assert heard(out)[1] == pytest.approx(2, abs=0.05)
    read = list(read_rows(rows))
    assert [int(row["frame"]) for row in read] == list(range(2 * FPS))
    assert [float(row["time_s"]) for row in read] == pytest.approx(even_times(2, FPS), abs=0.002)
    assert {row["source"] for row in read} == {str(films / "face.mp4")}
    with open_source(str(out)) as frames:
        assert drawn([frame for frame, _ in frames][-1]) > 500


def test_frames_without_a_face_have_rows_too(fer, films, tmp_path):
    assert fer("video", films / "nobody.mp4", "--rows", tmp_path / "rows.jsonl").code == 0
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) == 2 * FPS
    assert {(row["face"], row["expression"], row["happy"]) for row in rows} == {(None, None, None)}


def test_without_outputs_the_shares_are_told(fer, films):
    done = fer("video", films / "face.mp4")
    assert "0:02 of video, 20 frames read" in done.out
    assert all(expression.name in done.out for expression in EXPRESSIONS)
    assert "a face in 0% of them" in fer("video", films / "nobody.mp4").out


def test_a_film_is_named_as_it_is_on_one_line(fer, tmp_path):
    film = write_film(tmp_path / f"[bold]{100 * 'a'} [b].mp4", even_times(0.3, FPS), sound=None)
    assert f"{film}: 0:00 of video, 3 frames read, " in fer("video", film).out


def test_a_length_below_zero_is_none(tmp_path):
    film = write_film(tmp_path / "a.mkv", even_times(1, FPS), sound=None)
    assert media._length_s(str(film), 9) == pytest.approx(1)
    set_length(film, -5)
    assert [media._length_s(str(film), seconds) for seconds in (None, 9)] == [None, 9]


def test_every_third_frame_is_read_and_all_are_shown(fer, films, tmp_path):
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    assert fer("video", films / "face.mp4", "--every", 3, "--out", out, "--rows", rows).code == 0
    assert [int(row["frame"]) for row in read_rows(rows)] == list(range(0, 2 * FPS, 3))
    with open_source(str(out)) as frames:
        shown = [drawn(frame) for frame, _ in frames]
    assert len(shown) == 2 * FPS and min(shown[1:]) > 500


def test_a_video_of_uneven_pace_keeps_it(fer, tmp_path):
    times = [0, 0.1, 0.15, 0.5, 0.51, 0.9, 1.7, 1.75, 2.0, 2.1]
    write_film(tmp_path / "a.mp4", times)
    fer("video", tmp_path / "a.mp4", "--out", tmp_path / "b.mp4", "--rows", tmp_path / "b.csv")
    with open_source(str(tmp_path / "b.mp4")) as frames:
        assert [time_s for _, time_s in frames] == pytest.approx(times, abs=0.002)
    read = [float(row["time_s"]) for row in read_rows(tmp_path / "b.csv")]
    assert read == pytest.approx(times, abs=0.002)


@pytest.mark.parametrize("view", [["--blur"], ["--avatars", "instead"], ["--faces", "beside"]])
def test_faces_can_be_hidden_or_joined_by_avatars(fer, films, tmp_path, view):
    plain, other = tmp_path / "plain.mp4", tmp_path / "other.mp4"
    fer("video", films / "face.mp4", "--out", plain)
    assert fer("video", films / "face.mp4", "--out", other, *view).code == 0
    with open_source(str(plain)) as first, open_source(str(other)) as second:
        (one, _), (two, _) = list(zip(first, second, strict=True))[-1]
    assert np.abs(one.astype(int) - two).mean() > 1


def test_seconds_end_it_early(fer, films, tmp_path):
    fer("video", films / "face.mp4", "--seconds", 1, "--out", tmp_path / "a.mp4")
    assert length_s(tmp_path / "a.mp4") == pytest.approx(1, abs=0.05)
    assert fer("video", films / "face.mp4", "--seconds", 0).code == 2


BAD_VIDEOS = {
    "missing.mp4": (None, "does not exist"),
    "empty.mp4": (lambda path: path.write_bytes(b""), "it is empty"),
    "text.mp4": (lambda path: path.write_text("hello\n"), "cannot be read as a video"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "63": (None, "no camera 63"),
}


@pytest.mark.parametrize("name", BAD_VIDEOS)
def test_what_is_no_video_leaves_nothing_behind(fer, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write, words = BAD_VIDEOS[name]
    if write:
        write(tmp_path / name)
    before = names(tmp_path)
    done = fer("video", name, "--out", "out.mp4", "--rows", "rows.csv")
    assert done.is_one_sentence(name, words), done.err
    assert names(tmp_path) == before


def test_what_can_be_read_of_a_truncated_video_is_kept(fer, tmp_path):
    whole = write_film(tmp_path / "a.mkv", even_times(4, FPS), sound=None).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 7 // 10])
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.parquet"
    done = fer("video", tmp_path / "cut.mkv", "--out", out, "--rows", rows)
    assert done.is_one_sentence("cut.mkv", "only in part")
    assert 1 < length_s(out) < 4
    assert len(list(read_rows(rows))) == pytest.approx(FPS * length_s(out), abs=1)


def test_what_a_camera_gave_before_it_vanished_is_kept(fer, tmp_path, monkeypatch):
    camera = Camera(tmp_path / "camera.npy", pictures=20)
    camera.plug_in(FaceVideo(SMALL, seconds=1, fps=FPS, size=(320, 240)).frames())
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    done = fer("video", "0", "--out", out, "--rows", rows)
    assert done.is_one_sentence("Camera 0 gives no more pictures", "Plug it in"), done.err
    assert "20 frames read" in done.out
    with open_source(str(out)) as frames:
        assert len([*frames]) == len([*read_rows(rows)]) == 20
    assert names(tmp_path) == ["camera.npy", "out.mp4", "rows.csv"]


def test_a_video_that_is_turned_round_in_the_middle_is_read_to_its_end(fer, tmp_path):
    film, out, rows = (tmp_path / name for name in ("turned.ts", "out.mp4", "rows.csv"))
    assert fer("video", write_turned_film(film), "--out", out, "--rows", rows).code == 0
    with open_source(str(out)) as frames:
        scenes = [scene for scene, _ in frames]
    assert [scene.shape for scene in scenes] == [(240, 320, 3)] * 20
    assert drawn(scenes[5]) > 200 and drawn(scenes[-1]) > 100
    assert scenes[-1][:, :60].mean() < 3 < scenes[5][:, :60].mean(), "bars beside the upright one"
    found = [row for row in read_rows(rows) if row["face"]]
    assert len(found) > 15
    assert float(found[0]["y2"]) < 240 < float(found[-1]["y2"]) < 320


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "file/out.mp4"],
        ["--out", "no/out.mp4"],
        ["--out", "out.avi"],
        ["--rows", "file/rows.csv"],
        ["--rows", "rows.xlsx"],
    ],
)
def test_a_video_that_cannot_be_written(fer, films, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    done = fer("video", films / "face.mp4", *options)
    assert done.is_one_sentence(options[1], "expected"), done.err
    assert names(tmp_path) == ["file"]


def test_a_video_is_never_overwritten(fer, films):
    before = (films / "face.mp4").read_bytes()
    done = fer("video", films / "face.mp4", "--out", films / "face.mp4")
    assert done.is_one_sentence("face.mp4", "choose another name")
    assert (films / "face.mp4").read_bytes() == before


def test_a_full_disk_keeps_what_was_recorded(fer, tmp_path):
    film = write_film(tmp_path / "a.mp4", even_times(20, FPS))
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    with small_files(100):
        done = fer("video", film, "--out", out, "--rows", rows)
    assert done.is_one_sentence("kept"), done.err
    assert names(tmp_path) == ["a.mp4", "out.mp4", "rows.csv"]
    with open_source(str(out)) as frames:
        assert next(iter(frames))[0].shape == (240, 320, 3)
    assert len(list(read_rows(rows))) > FPS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_control_c_leaves_a_playable_file_and_all_rows_so_far(films, tmp_path, number):
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.csv"
    process = start("video", films / "long.mp4", "--out", out, "--rows", rows)
    partial = tmp_path / "rows.partial.csv"
    wait_for(lambda: partial.exists() and partial.stat().st_size > 5000, "rows")
    process.send_signal(number)
    done = end(process)
    assert (done.code, done.err) == (130, "")
    assert "frames read" in done.out
    read = list(read_rows(rows))
    assert len(read) > 20
    with open_source(str(out)) as frames:
        assert len([*frames]) == len(read)
    assert heard(out)[1] == pytest.approx(length_s(out), abs=0.1)
    assert names(tmp_path) == ["out.mp4", "rows.csv"]


@pytest.mark.slow
def test_a_minute_with_sound_comes_back_whole(fer, tmp_path):
    film = write_film(tmp_path / "a.mp4", even_times(60, 30), size=(640, 480), faces=(Face(),))
    out, rows = tmp_path / "out.mp4", tmp_path / "rows.parquet"
    assert fer("video", film, "--out", out, "--rows", rows).code == 0
    with open_source(str(out)) as frames:
        assert sum(1 for _ in frames) == 1800
    assert length_s(out) == pytest.approx(length_s(film), abs=0.05)
    began, ended, loud = heard(out)
    assert (began, ended) == (pytest.approx(0, abs=0.03), pytest.approx(60, abs=0.05))
    assert loud == pytest.approx(heard(film)[2], abs=0.01)
    assert [row["frame"] for row in read_rows(rows)] == list(range(1800))


def test_the_commands_load_no_tensorflow():
    code = "import sys, fer.cli.media, fer.cli.score; print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "False\n"


def test_the_commands_are_listed(fer):
    done = fer("--help")
    assert all(f" {name} " in done.out for name in ("image", "video", "score"))


@pytest.mark.parametrize("hidden", [["--blur"], ["--avatars", "instead"]])
def test_faces_are_not_hidden_in_every_other_frame_only(fer, films, tmp_path, hidden):
    done = fer("video", films / "face.mp4", "--out", tmp_path / "out.mp4", "--every", 2, *hidden)
    assert done.is_one_sentence("cannot be hidden with --every 2", "Leave --every away")
    assert names(tmp_path) == []
