"""Cameras, files and streams: their frames, their times, their errors."""

import functools
import os
import threading
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from fer.containers import FILM_SUFFIXES
from fer.errors import SourceError
from fer.media import FileSource, open_source
from fer.pictures import read_picture
from fer.sources import public_name
from fer.web.limits import check_film
from tests.films import even_times, set_time_back, write_film
from tests.synthetic import FaceVideo, portrait, write_video

FPS, SECONDS = 15, 4
PNG = cv2.imencode(".png", portrait("hopper"))[1].tobytes()
MATRIX = slice(44, 80)  # of a version 0 track header, from its name on


@pytest.fixture(scope="module")
def frames():
    return list(FaceVideo(seconds=SECONDS, fps=FPS, size=(320, 240)).frames())


@pytest.fixture(scope="module")
def videos(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("videos")
    for suffix in ("mp4", "mkv", "avi"):
        write_video(folder / f"faces.{suffix}", frames, FPS)
    return folder


def read(source):
    """All that can be read, and the error at the end if there is one."""
    pictures, times, error = [], [], None
    with open_source(str(source)) as opened:
        try:
            for frame, time_s in opened:
                pictures.append(frame)
                times.append(time_s)
        except SourceError as raised:
            error = str(raised)
    return pictures, np.array(times), error


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_gives_its_frames_in_bgr_with_their_times(videos, frames, suffix):
    pictures, times, error = read(videos / f"faces.{suffix}")
    assert error is None
    assert len(pictures) == len(frames)
    assert np.allclose(times, np.arange(len(frames)) / FPS, atol=0.002)
    assert pictures[0].dtype == np.uint8
    # H.264 keeps half of the colour's resolution.
    assert np.abs(pictures[30].astype(int) - frames[30]).mean() < 6


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_file_which_has_no_presentation_times_is_read_in_time(tmp_path, frames, codec):
    with av.open(str(tmp_path / "faces.avi"), "w") as container:
        stream = container.add_stream(codec, rate=FPS, width=320, height=240, pix_fmt="yuv420p")
        stream.codec_context.max_b_frames = 2
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    pictures, times, error = read(tmp_path / "faces.avi")
    assert error is None
    assert len(pictures) == len(frames)
    np.testing.assert_allclose(times, np.arange(len(frames)) / FPS, atol=1e-3)


def test_a_file_filmed_upright_on_a_phone_is_turned_upright(videos, frames, tmp_path):
    raw = bytearray((videos / "faces.mp4").read_bytes())
    header = raw.index(b"tkhd")
    one, w = 1 << 16, 1 << 30
    quarter = np.array([0, one, 0, -one, 0, 0, 0, 0, w], ">i4").tobytes()  # clockwise
    raw[header + MATRIX.start : header + MATRIX.stop] = quarter
    (tmp_path / "phone.mp4").write_bytes(raw)
    pictures, _, _ = read(tmp_path / "phone.mp4")
    assert pictures[0].shape == (320, 240, 3)
    expected = cv2.rotate(frames[0], cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(pictures[0].astype(int) - expected).mean() < 6


def test_a_picture_is_a_video_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "face.png"), portrait("hopper"))
    pictures, times, error = read(tmp_path / "face.png")
    assert (len(pictures), times.tolist(), error) == (1, [0.0], None)
    np.testing.assert_array_equal(pictures[0], portrait("hopper"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_and_mirrored_as_its_exif_data_say(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(portrait("astronaut")[:400]).save(tmp_path / "face.jpg", exif=exif)
    pictures, _, _ = read(tmp_path / "face.jpg")
    np.testing.assert_array_equal(pictures[0], read_picture(tmp_path / "face.jpg"))


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_a_film_of_any_suffix_is_read_in_the_windows_and_on_the_page(tmp_path, frames, suffix):
    path = tmp_path / f"film{suffix}"
    kind = "mp4" if suffix == ".m4v" else None  # to FFmpeg that is a bare stream
    with av.open(str(path), "w", format=kind) as film:
        codec = {".webm": "vp8", ".wmv": "wmv2", ".mpg": "mpeg2video", ".mpeg": "mpeg2video"}
        stream = film.add_stream(codec.get(suffix, "libx264"), rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in frames[:5]:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        film.mux(stream.encode(None))
    pictures, _, error = read(path)
    assert (len(pictures), error) == (5, None)
    assert check_film(path, "film").path == path


@pytest.mark.parametrize(
    ("pixel", "shape"),
    [
        (Fraction(16, 9), (240, 569, 3)),
        (Fraction(1, 2), (480, 320, 3)),
        (Fraction(1, 1), (240, 320, 3)),
        (Fraction(1, 5000), (240, 320, 3)),
        (Fraction(5000, 1), (240, 320, 3)),
    ],
)
def test_pixels_that_are_not_square_are_stretched_unless_by_damage(tmp_path, frames, pixel, shape):
    with av.open(str(tmp_path / "film.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        film.mux(stream.encode(av.VideoFrame.from_ndarray(frames[0], format="bgr24")))
        film.mux(stream.encode(None))
    pictures, _, _ = read(tmp_path / "film.mp4")
    assert pictures[0].shape == shape
    assert np.abs(pictures[0] - cv2.resize(frames[0], shape[1::-1]).astype(int)).mean() < 8


def test_a_name_with_a_colon_is_a_file(videos, tmp_path):
    (tmp_path / "take:1.mp4").write_bytes((videos / "faces.mp4").read_bytes())
    assert len(read(tmp_path / "take:1.mp4")[0]) == SECONDS * FPS


def test_a_url_is_read(videos, frames):
    handler = functools.partial(SimpleHTTPRequestHandler, directory=videos)
    handler.func.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pictures, _, error = read(f"http://127.0.0.1:{server.server_port}/faces.mkv")
        server.shutdown()
    assert (len(pictures), error) == (len(frames), None)


def test_what_was_read_of_a_truncated_file_is_kept_and_the_error_said_at_the_end(videos, tmp_path):
    whole = (videos / "faces.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    pictures, _, error = read(tmp_path / "cut.mkv")
    assert 10 < len(pictures) < SECONDS * FPS - FPS
    assert "only in part" in error and "of 4.0 seconds" in error


def test_damage_in_the_middle_is_passed_over_and_said_at_the_end(videos, tmp_path):
    raw = bytearray((videos / "faces.mp4").read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 3000] = bytes(3000)
    (tmp_path / "hole.mp4").write_bytes(raw)
    pictures, times, error = read(tmp_path / "hole.mp4")
    assert len(pictures) > SECONDS * FPS // 2
    assert times[-1] == pytest.approx(SECONDS, abs=0.5)
    assert "only in part" in error


def write_slides(path, codec, frames):
    """As recordings of screens are: the last is shown for five seconds."""
    packets = []
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            packets += stream.encode(picture)
        packets += stream.encode(None)
        packets[-1].duration = 5 / packets[-1].time_base
        for packet in packets:
            film.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("slides.mp4", "libx264"),
        ("slides.mkv", "libx264"),
        ("slides.avi", "mpeg4"),
        ("slides.flv", "libx264"),
        ("slides.wmv", "wmv2"),
    ],
)
def test_a_film_that_ends_on_a_long_frame_is_whole(tmp_path, frames, name, codec):
    pictures, _, error = read(write_slides(tmp_path / name, codec, frames[:10]))
    assert (len(pictures), error) == (10, None)


@pytest.mark.parametrize(
    ("name", "codec"), [("cut.avi", "mpeg4"), ("cut.flv", "libx264"), ("cut.wmv", "wmv2")]
)
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_film_that_is_cut_off_says_so(tmp_path, frames, name, codec, share):
    path = write_slides(tmp_path / name, codec, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    pictures, _, error = read(path)
    assert 0 < len(pictures) < len(frames)
    assert "only in part: " in error


@pytest.mark.parametrize("missing", [1, 3000])
def test_a_recording_that_was_cut_off_says_so(tmp_path, frames, missing):
    """A moment is missing that is too short to be noticed by how long it should be."""
    path = tmp_path / "cut.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as film:
        stream = film.add_stream("libx264", rate=FPS, options={"g": str(FPS)})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        film.mux(stream.encode(None))
    assert len(read(path)[0]) == len(frames) and read(path)[2] is None
    whole = path.read_bytes()
    end = whole.rindex(b"mfra") - 4  # an index follows
    path.write_bytes(whole[: end - missing])
    pictures, _, error = read(path)
    assert len(frames) - FPS <= len(pictures) < len(frames)
    assert f"its last {missing:,} bytes are missing" in error


def test_boxes_of_damaged_lengths_are_no_hindrance(videos, tmp_path):
    raw = (videos / "faces.mp4").read_bytes()
    for length in (0, 7, 2**31, 2**32 - 1):
        (tmp_path / "a.mp4").write_bytes(raw + length.to_bytes(4) + b"junk")
        assert read(tmp_path / "a.mp4")[2] is None
    (tmp_path / "a.mp4").write_bytes(raw + b"\0\0\0\1mdat" + b"\xff" * 8)
    assert "bytes are missing" in read(tmp_path / "a.mp4")[2]


@pytest.mark.parametrize("left", [0, 8, 3000])
def test_an_avi_file_that_lacks_only_its_index_is_whole(tmp_path, frames, left):
    path = write_video(tmp_path / "film.avi", frames * 5, FPS)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"idx1") + left])
    pictures, _, error = read(path)
    assert (len(pictures), error) == (len(frames) * 5, None)


@pytest.mark.parametrize("cut", [0, 1, 1500])
def test_a_silent_flv_that_says_only_its_length_is_whole_if_its_last_packet_is(
    tmp_path, frames, cut
):
    path = write_slides(tmp_path / "slides.flv", "libx264", frames[:10])
    whole = path.read_bytes().replace(b"filesize", b"elifsize")
    path.write_bytes(whole[: len(whole) - cut])
    _, _, error = read(path)
    assert (error is None) == (cut == 0)


def test_a_film_of_several_parts_that_is_cut_off_says_so(tmp_path, frames):
    path = write_video(tmp_path / "cut.avi", frames, FPS)
    whole = bytearray(path.read_bytes())
    whole[4:8] = (len(whole) // 3).to_bytes(4, "little")  # of the first part, as AVI has it
    path.write_bytes(whole[: int(0.6 * len(whole))])
    pictures, _, error = read(path)
    assert 0 < len(pictures) < len(frames)
    assert "only in part: it ends after " in error


@pytest.mark.parametrize("seconds", [-200, -20, -2, 4])
def test_a_wrong_time_amid_the_pictures_shifts_no_other(tmp_path, seconds):
    film = write_film(tmp_path / "film.ts", even_times(8, 10))
    set_time_back(film, b"\xe0", 50, seconds)
    pictures, times, _ = read(film)
    assert len(pictures) == 80
    assert times == pytest.approx(even_times(8, 10), abs=0.15)


@pytest.mark.parametrize("seconds", [-200, -20, 20])
def test_a_wrong_time_of_the_last_picture_is_not_believed(tmp_path, seconds):
    film = write_film(tmp_path / "film.ts", even_times(4, 10))
    set_time_back(film, b"\xe0", 40, seconds)
    pictures, times, error = read(film)
    assert (len(pictures), error) == (40, None)
    assert times == pytest.approx(even_times(4, 10), abs=0.15)


@pytest.mark.parametrize("count", [5, 7, 12])
def test_clips_of_less_than_a_second_that_were_joined_are_played_one_after_the_other(
    tmp_path, frames, count
):
    """With B-frames, which are not sent in their order."""
    clip = write_video(tmp_path / "clip.ts", frames[:count], FPS)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(clip.read_bytes() * 5)
    pictures, times, error = read(joined)
    assert (len(pictures), error) == (5 * count, None)
    assert times == pytest.approx(np.arange(5 * count) / FPS, abs=0.01)


@pytest.mark.parametrize("fps", [1, 4, 30])
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_pictures_that_are_decoded_long_before_they_are_shown_come_in_time(
    tmp_path, frames, suffix, fps
):
    film = write_video(tmp_path / f"film.{suffix}", frames[:20], fps)
    assert read(film)[1] == pytest.approx(np.arange(20) / fps, abs=0.002)


def test_a_truncated_film_with_sound_says_so_too(tmp_path):
    whole = write_film(tmp_path / "film.mkv", even_times(4, 10), "libopus").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    pictures, _, error = read(tmp_path / "cut.mkv")
    assert 10 < len(pictures) < 35
    assert "only in part" in error and "of 4.0 seconds" in error


def test_a_film_of_which_nothing_can_be_decoded_says_so(videos, tmp_path):
    raw = bytearray((videos / "faces.mp4").read_bytes())
    begin, end = raw.index(b"mdat") + 4, raw.index(b"moov") - 4
    raw[begin:end] = bytes(end - begin)
    (tmp_path / "zeros.mp4").write_bytes(raw)
    pictures, _, error = read(tmp_path / "zeros.mp4")
    assert pictures == []
    assert error.startswith("No picture of")


def test_a_film_may_change_its_size_but_not_beyond_the_limit(tmp_path):
    """A phone that is turned round; or a file that holds more than it says at its beginning."""
    parts = [
        write_video(
            tmp_path / f"{width}.ts", FaceVideo(seconds=1, fps=10, size=(width, height)).frames()
        )
        for width, height in ((160, 120), (240, 320))
    ]
    (tmp_path / "film.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    pictures, _, error = read(tmp_path / "film.ts")
    shapes = [picture.shape for picture in pictures]
    assert (shapes, error) == ([(120, 160, 3)] * 10 + [(320, 240, 3)] * 10, None)
    limited, shapes = FileSource(str(tmp_path / "film.ts"), max_pixels=200 * 200), []
    with pytest.raises(SourceError, match="only in part"):
        shapes.extend(frame.shape for frame, _ in limited)
    assert set(shapes) == {(120, 160, 3)}


def test_a_title_in_another_alphabet_is_no_hindrance(videos, tmp_path, frames):
    with av.open(str(tmp_path / "utf8.avi"), "w") as film:
        film.metadata["title"] = "Café"
        stream = film.add_stream("mpeg4", rate=10)
        film.mux([*stream.encode(av.VideoFrame.from_ndarray(frames[0], format="bgr24"))])
        film.mux(stream.encode(None))
    data = (tmp_path / "utf8.avi").read_bytes()
    assert "Café".encode() in data
    (tmp_path / "latin1.avi").write_bytes(data.replace("Café".encode(), "Café ".encode("latin1")))
    pictures, _, error = read(tmp_path / "latin1.avi")
    assert (len(pictures), error) == (1, None)


def test_a_film_in_an_unknown_code_holds_no_video(videos, tmp_path):
    data = (videos / "faces.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"))
    with pytest.raises(SourceError, match="no video"):
        open_source(str(tmp_path / "a.mkv"))


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("missing.mp4", None, "does not exist"),
        ("folder", lambda path: path.mkdir(), "is a folder"),
        ("pipe", os.mkfifo, "is a pipe"),
        ("a" * 300 + ".mp4", None, "cannot be read: file name too long"),
        ("a" * 300 + ".png", None, "cannot be read: file name too long"),
        ("cut.png", lambda path: path.write_bytes(PNG[: len(PNG) // 2]), "image file is truncated"),
        ("text.mp4", lambda path: path.write_text("hello\n"), "cannot be read as a video"),
        ("long.txt", lambda path: path.write_text("one line of many\n" * 500), "no video"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "it is empty"),
        ("sound.m4a", sound, "no video"),
    ],
)
def test_what_is_no_video_is_said_in_one_sentence(tmp_path, name, write, words):
    path = tmp_path / name
    if write:
        write(path)
    with pytest.raises(SourceError, match=words) as caught:
        open_source(str(path))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/faces.mp4", "nonsense://x"])
def test_a_url_that_does_not_answer(url):
    with pytest.raises(SourceError, match=url):
        open_source(url)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rtsp://anna:hush@example.org:554/cam", "rtsp://…@example.org:554/cam"),
        ("rtsp://anna:h@u/s?h@example.org", "rtsp://…@example.org"),
        ("http://example.org/a.mp4?user=anna&pwd=hush", "http://example.org/a.mp4?…"),
        ("http://example.org/a.mp4", "http://example.org/a.mp4"),
        ("films/anna@home?.mp4", "films/anna@home?.mp4"),
        ("0", "0"),
    ],
)
def test_a_url_is_named_without_its_secrets(source, name):
    assert public_name(source) == name


def test_an_error_tells_no_password():
    with pytest.raises(SourceError, match=r"rtsp://…@127.0.0.1:1/cam\?… cannot be read") as caught:
        open_source("rtsp://anna:hush@127.0.0.1:1/cam?token=hush")
    assert "hush" not in str(caught.value)


class FakeCamera:
    """A camera that gives some pictures and is then unplugged."""

    def __init__(self, pictures, opened=True):
        self.left, self.opened, self.asked, self.released = pictures, opened, {}, False

    def __call__(self, number, backend):
        self.number = number
        return self

    def isOpened(self):
        return self.opened

    def set(self, what, value):
        self.asked[what] = value

    def read(self):
        if self.left == 0:
            return False, None
        self.left -= 1
        return True, np.zeros((480, 640, 3), np.uint8)

    def release(self):
        self.released = True


def test_a_camera_is_asked_for_640_by_480_and_released(monkeypatch):
    camera = FakeCamera(pictures=3)
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    with open_source("2") as source:
        assert source.live
        frame, time_s = next(iter(source))
    assert frame.shape == (480, 640, 3)
    assert 0 <= time_s < 1
    assert camera.number == 2
    assert camera.asked[cv2.CAP_PROP_FRAME_WIDTH] == 640
    assert camera.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 480
    assert camera.released


@pytest.mark.parametrize("name", ["/dev/video2", "by-id"])
def test_a_camera_is_found_by_its_device(monkeypatch, tmp_path, name):
    (tmp_path / "by-id").symlink_to("/dev/video2")
    camera = FakeCamera(pictures=1)
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    monkeypatch.chdir(tmp_path)
    with open_source(name) as source:
        assert source.live and camera.number == 2


def test_a_camera_that_vanishes_ends_with_an_error(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera(pictures=3))
    pictures, times, error = read("0")
    assert len(pictures) == 3
    assert (np.diff(times) >= 0).all()
    assert "no more pictures" in error


def test_a_camera_that_gives_nothing_says_so(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera(pictures=0))
    pictures, _, error = read("0")
    assert pictures == []
    assert "gives no picture" in error


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(SourceError, match="no camera 63"):
        open_source("63")
    assert capfd.readouterr().err == ""


def test_no_thread_outlives_a_source(videos):
    before = threading.active_count()
    with open_source(str(videos / "faces.mp4")) as source:
        next(iter(source))
        assert threading.active_count() == before
