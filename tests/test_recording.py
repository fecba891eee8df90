"""Annotated video: its times, its sound, and what is left when its making is broken off."""

import math
import os
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fer import recording, sound
from fer.errors import OutputError, SourceError
from fer.media import open_source
from fer.recording import VideoRecorder
from tests.disks import small_disk, small_files
from tests.films import even_times, heard, set_time_back, write_film
from tests.synthetic import FaceVideo

ROOT = Path(__file__).parent.parent
FRAMES = list(FaceVideo((), seconds=1, fps=10, size=(320, 240)).frames())


def record(path, frames, times, source=None):
    with VideoRecorder(path, source) as recorder:
        for frame, time_s in zip(frames, times, strict=True):
            recorder.write(frame, time_s)
        recorder.write_rest_of_sound()
    return path


def copy(path, source):
    """Record what a source gives."""
    with open_source(str(source)) as frames, VideoRecorder(path, str(source)) as recorder:
        for frame, time_s in frames:
            recorder.write(frame, time_s)
        recorder.write_rest_of_sound()
    return path


def read(path):
    with open_source(str(path)) as source:
        pictures, times = zip(*source, strict=True)
    return pictures, np.array(times)


def length_s(path):
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def test_frames_come_back_as_they_were_and_when_they_were(tmp_path):
    times = [0, 0.1, 0.15, 0.5, 0.51, 0.9, 1.7, 1.75, 2.0, 2.1]
    pictures, read_times = read(record(tmp_path / "a.mp4", FRAMES, times))
    assert np.allclose(read_times, times, atol=0.001)
    assert np.abs(pictures[4].astype(int) - FRAMES[4]).mean() < 6


@pytest.mark.parametrize("width", [319, 320])
@pytest.mark.parametrize("height", [239, 240])
def test_odd_sides_grow_by_a_pixel(tmp_path, width, height):
    frames = [frame[:height, :width] for frame in FRAMES]
    pictures, _ = read(record(tmp_path / "a.mp4", frames, even_times(1, 10)))
    assert pictures[0].shape == (240, 320, 3)
    assert np.abs(pictures[4][:height, :width].astype(int) - frames[4]).mean() < 6


def test_a_frame_of_another_size_is_scaled_to_the_first(tmp_path):
    frames = [*FRAMES[:5], *(frame[::2, ::2] for frame in FRAMES[5:])]
    pictures, _ = read(record(tmp_path / "a.mp4", frames, even_times(1, 10)))
    assert {picture.shape for picture in pictures} == {(240, 320, 3)}
    assert np.abs(pictures[9].astype(int) - FRAMES[9]).mean() < 12


def test_a_phone_that_is_turned_leaves_the_picture_as_it_is_between_bars(tmp_path):
    frames = [*FRAMES[:5], *(np.rot90(frame).copy() for frame in FRAMES[5:])]
    pictures, _ = read(record(tmp_path / "a.mp4", frames, even_times(1, 10)))
    bars, shown = np.split(pictures[9].astype(int), [70], axis=1)[0], pictures[9][:, 70:250]
    assert pictures[9].shape == (240, 320, 3) and bars.mean() < 2
    assert np.abs(shown - cv2.resize(frames[9], (180, 240)).astype(int)).mean() < 12


@pytest.mark.parametrize("fps", [10, 25])
def test_a_copy_is_as_long_as_its_source(tmp_path, fps):
    source = write_film(tmp_path / "a.mp4", even_times(2, fps), sound=None)
    assert length_s(source) == 2
    assert length_s(copy(tmp_path / "b.mp4", source)) == pytest.approx(2, abs=0.002)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "kept_as"),
    [
        ("a.mp4", "aac", 44_100, "aac"),
        ("a.ts", "aac", 44_100, "aac"),
        ("a.mkv", "mp3", 44_100, "mp3"),
        ("a.mkv", "libopus", 48_000, "opus"),
        ("a.mkv", "pcm_s16le", 44_100, "aac"),
        ("a.avi", "pcm_s16le", 15_000, "aac"),
    ],
)
def test_the_sound_is_kept_in_step(tmp_path, name, codec, rate, kept_as):
    source = write_film(tmp_path / name, even_times(3, 10), codec, sound_rate=rate)
    result = copy(tmp_path / "out.mp4", source)
    with av.open(str(result)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == kept_as
    (began, ended, loud), (begins, ends, louder) = heard(source), heard(result)
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        lead = began - float((video.start_time or 0) * video.time_base)
    assert begins == pytest.approx(max(0, lead), abs=0.05)
    assert ends - begins == pytest.approx(ended - began, abs=0.06)
    assert louder == pytest.approx(loud, abs=0.02) and loud > 0.1
    assert length_s(result) == pytest.approx(3, abs=0.1)


def shown(path):
    """The times of the pictures that can be decoded, counted back from the end of the sound."""
    with av.open(str(path)) as container:
        return np.array([frame.time for frame in container.decode(video=0)]) - heard(path)[1]


@pytest.mark.parametrize("codec", ["aac", "mp3"])
def test_sound_is_in_step_where_the_first_pictures_cannot_be_decoded(tmp_path, codec):
    """As in each recording of a broadcast, which begins somewhere."""
    again_and_again = tmp_path / "film.ts"
    film = write_film(tmp_path / "once.ts", even_times(2, 10), codec)
    with av.open(str(film)) as once, av.open(str(again_and_again), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in once.streams]
        packets = [packet for packet in once.demux() if packet.dts is not None]
        for turn in range(3):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.stream, again.time_base = streams[packet.stream_index], packet.time_base
                again.pts = packet.pts + round(2.1 * turn / packet.time_base)
                again.dts = packet.dts + round(2.1 * turn / packet.time_base)
                output.mux(again)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(again_and_again.read_bytes()[188 * 100 :])
    assert 15 < len(shown(cut)) < 45
    copied = copy(tmp_path / "copy.mp4", cut)
    assert shown(copied) == pytest.approx(shown(cut), abs=0.03)


@pytest.mark.parametrize("codec", ["aac", "mp3"])
def test_a_film_whose_clock_begins_anew_is_copied_to_its_end(tmp_path, codec):
    """As of two that were joined, byte by byte."""
    film = write_film(tmp_path / "film.ts", even_times(3, 10), codec)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(film.read_bytes() * 2)
    copied = copy(tmp_path / "copy.mp4", twice)
    assert len(read(copied)[0]) == 60
    assert heard(copied)[1] == pytest.approx(6, abs=0.1)
    assert heard(copied)[2] == pytest.approx(heard(film)[2], abs=0.02)


def begins(path, kind, gap_s):
    """When the pictures or the sound of a file begin, and begin again after a gap."""
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        times = [float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None]
    return [times[0], *(time for last, time in pairwise(times) if time - last > gap_s)]


@pytest.mark.parametrize("codec", ["aac", "mp3"])
@pytest.mark.parametrize("later_s", [-0.5, 0.5])
def test_sound_and_pictures_stay_in_step_where_their_clock_begins_anew(tmp_path, codec, later_s):
    """Though one of them always ends before the other."""
    film = write_film(tmp_path / "film.ts", even_times(3, 10), codec, later_s=later_s)
    recording = tmp_path / "recording.ts"
    recording.write_bytes(film.read_bytes() * 4)
    copied = copy(tmp_path / "copy.mp4", recording)
    pictures, times = read(copied)
    assert len(pictures) == 120
    anew = times[::30]
    assert anew == pytest.approx(np.arange(4) * (3 + max(later_s, 0)), abs=0.15)
    if later_s < 0:
        assert begins(copied, "audio", 0.3) == pytest.approx(anew, abs=0.06)
    else:
        assert begins(copied, "audio", 0.3) == [pytest.approx(0, abs=0.06)]
        assert heard(copied)[1] == pytest.approx(14, abs=0.2)


def test_sound_and_pictures_stay_in_step_in_short_clips_that_were_joined(tmp_path):
    clip = write_film(tmp_path / "clip.ts", even_times(0.5, 10), later_s=0.2)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(clip.read_bytes() * 8)
    copied = copy(tmp_path / "copy.mp4", joined)
    begin_s, end_s, _ = heard(clip)
    pictures, times = read(copied)
    assert len(pictures) == 40
    assert times[::5] == pytest.approx(np.arange(8) * (end_s - begin_s), abs=0.06)
    assert heard(copied)[1] == pytest.approx(8 * (end_s - begin_s), abs=0.1)


@pytest.mark.parametrize("codec", ["aac", "mp3"])
@pytest.mark.parametrize("seconds", [-20, -2, 4])
@pytest.mark.parametrize("packets", [1, 8])
def test_wrong_times_in_the_sound_shift_nothing(tmp_path, codec, seconds, packets):
    film = write_film(tmp_path / "film.ts", even_times(8, 10), codec)
    right = copy(tmp_path / "right.mp4", film)
    for number in range(200, 200 + packets):
        set_time_back(film, b"\xc0", number, seconds)
    wrong = copy(tmp_path / "wrong.mp4", film)
    assert begins(wrong, "audio", 0.03) == begins(right, "audio", 0.03)
    assert heard(wrong) == pytest.approx(heard(right), abs=0.03)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    record(tmp_path / "a.mp4", FRAMES, even_times(1, 10), str(tmp_path / "pipe"))
    assert len(read(tmp_path / "a.mp4")[0]) == 10


def test_sound_in_an_unknown_code_is_left_out(tmp_path):
    film = write_film(tmp_path / "film.mkv", even_times(2, 10))
    film.write_bytes(film.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    copied = copy(tmp_path / "copy.mp4", film)
    assert len(read(copied)[0]) == 20
    with av.open(str(copied)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_sound_that_changes_its_rate_ends_and_the_pictures_go_on(tmp_path):
    parts = [
        write_film(tmp_path / f"{rate}.ts", even_times(1, 10), "mp2", sound_rate=rate)
        for rate in (48_000, 44_100)
    ]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    copied = copy(tmp_path / "copy.mp4", both)
    assert len(read(copied)[0]) == 20


def test_a_gap_of_hours_ends_a_recording_and_not_the_process(tmp_path):
    with (
        pytest.raises(OutputError, match="more than an hour; what was written until then is kept"),
        VideoRecorder(tmp_path / "a.mp4") as recorder,
    ):
        for time_s in (0, 1, 50_000):
            recorder.write(FRAMES[0], time_s)
    assert len(read(tmp_path / "a.mp4")[0]) == 2


def test_sound_with_gaps_of_hours_ends_and_the_pictures_go_on(tmp_path):
    film = write_film(tmp_path / "film.avi", even_times(2, 10), "mp3")
    data = bytearray(film.read_bytes())
    header = data.index(b"auds")
    data[header + 20 : header + 24] = (2**31).to_bytes(4, "little")  # its unit of time
    film.write_bytes(data)
    assert len(read(copy(tmp_path / "copy.mp4", film))[0]) == 20


def test_why_the_sound_of_a_url_ends_is_told_without_its_password(tmp_path, caplog, monkeypatch):
    def break_off(*_):
        raise av.FFmpegError(5, "Input/output error", "rtsp://anna:hush@cam")
        yield

    monkeypatch.setattr(sound, "FilmPackets", break_off)
    source = write_film(tmp_path / "a.mp4", even_times(1, 10))
    record(tmp_path / "b.mp4", FRAMES, even_times(1, 10), str(source))
    assert caplog.messages == ["The sound ends early: Input/output error."]


def test_sound_ends_with_the_pictures_when_the_recording_does(tmp_path):
    source = write_film(tmp_path / "a.mp4", even_times(4, 10))
    with open_source(str(source)) as frames, VideoRecorder(tmp_path / "b.mp4", str(source)) as to:
        for frame, time_s in frames:
            if time_s > 1.45:
                break
            to.write(frame, time_s)
    assert heard(tmp_path / "b.mp4")[1] == pytest.approx(1.5, abs=0.05)


def test_nothing_has_the_final_name_before_the_end(tmp_path):
    with VideoRecorder(tmp_path / "a.mp4") as recorder:
        for frame, time_s in zip(FRAMES, even_times(1, 10), strict=True):
            recorder.write(frame, time_s)
        assert [path.name for path in tmp_path.iterdir()] == ["a.partial.mp4"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_recording_without_a_frame_leaves_nothing(tmp_path):
    record(tmp_path / "a.mp4", [], [])
    assert list(tmp_path.iterdir()) == []


def test_an_error_amid_the_recording_leaves_what_plays(tmp_path):
    with pytest.raises(KeyError), VideoRecorder(tmp_path / "a.mp4") as recorder:
        for frame, time_s in zip(FRAMES, even_times(1, 10), strict=True):
            recorder.write(frame, time_s)
        raise KeyError
    assert len(read(tmp_path / "a.mp4")[0]) == len(FRAMES)


def test_a_killed_process_leaves_what_plays_under_the_partial_name(tmp_path):
    code = f"""
import os, pathlib, signal
from tests.test_recording import FRAMES, VideoRecorder
recorder = VideoRecorder(pathlib.Path({str(tmp_path / "a.mp4")!r}))
for number in range(200):
    recorder.write(FRAMES[number % 10], number / 10)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial.mp4"]
    pictures = []
    # The last piece may be half written.
    with suppress(SourceError), open_source(str(tmp_path / "a.partial.mp4")) as source:
        pictures.extend(picture for picture, _ in source)
    assert len(pictures) > 20


def test_a_full_disk_leaves_what_plays(tmp_path):
    noise = np.random.default_rng(0)
    with (
        small_files(600),
        pytest.raises(OutputError, match=r"a\.mp4 .* too large.* is kept") as caught,
        VideoRecorder(tmp_path / "a.mp4") as recorder,
    ):
        for number in range(300):
            recorder.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 10)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert len(read(tmp_path / "a.mp4")[0]) > 5


def test_what_was_recorded_is_kept_whatever_goes_wrong(tmp_path, monkeypatch):
    def fail(self, scene):
        raise OverflowError("too far")

    with (
        pytest.raises(OutputError, match=r"a\.mp4 .* too far.* is kept"),
        VideoRecorder(tmp_path / "a.mp4") as recorder,
    ):
        for number in range(100):
            if number == 50:
                monkeypatch.setattr(VideoRecorder, "_to_yuv", fail)
            recorder.write(np.zeros((240, 320, 3), np.uint8), number / 10)
    assert number < 60, "it is told at once"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert 40 < len(read(tmp_path / "a.mp4")[0]) <= 51


def descriptors(path):
    """How many descriptors of this process are open on a file."""
    return sum(os.path.realpath(one) == str(path) for one in Path("/proc/self/fd").glob("*"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
@pytest.mark.parametrize("frames", [2, 9, 50])
def test_a_fault_in_the_last_frame_costs_that_frame_alone(tmp_path, monkeypatch, frames):
    to_yuv, left = VideoRecorder._to_yuv, [None] * frames

    def fail_at_last(self, scene):
        left.pop()
        if not left:
            raise OverflowError("too far")
        return to_yuv(self, scene)

    monkeypatch.setattr(VideoRecorder, "_to_yuv", fail_at_last)
    with (
        pytest.raises(OutputError, match=r"a\.mp4 .* too far.* is kept"),
        VideoRecorder(tmp_path / "a.mp4") as recorder,
    ):
        for number in range(frames):
            recorder.write(FRAMES[number % 10], number / 10)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert descriptors(tmp_path / "a.mp4") == 0, "a full disk has its room back"
    assert len(read(tmp_path / "a.mp4")[0]) == frames - 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_a_fault_after_the_last_frame_costs_no_frame(tmp_path, monkeypatch):
    until = sound.Sound.until

    def fail_at_end(self, time_s):
        if time_s == math.inf:
            raise OverflowError("too far")
        return until(self, time_s)

    monkeypatch.setattr(sound.Sound, "until", fail_at_end)
    source = write_film(tmp_path / "film.mp4", even_times(1, 10))
    with pytest.raises(OutputError, match=r"a\.mp4 .* too far.* is kept"):
        record(tmp_path / "a.mp4", FRAMES, even_times(1, 10), str(source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "film.mp4"]
    assert descriptors(tmp_path / "a.mp4") == 0
    assert len(read(tmp_path / "a.mp4")[0]) == len(FRAMES)


def test_a_recording_that_cannot_begin_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("too many open files")

    monkeypatch.setattr(recording, "open_again", fail)
    with pytest.raises(OSError, match="too many"):
        VideoRecorder(tmp_path / "a.mp4", "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_recording_on_a_full_disk_is_cut_where_its_last_piece_is_whole(tmp_path):
    """A piece of which only a part was written would be damage at the end, to all who read it."""
    noise = np.random.default_rng(0)
    with small_disk(tmp_path / "disk", 600) as disk:
        with (
            pytest.raises(OutputError, match=r"a\.mp4 .* no space left.* is kept"),
            VideoRecorder(disk / "a.mp4") as recorder,
        ):
            for number in range(300):
                recorder.write(noise.integers(0, 255, (120, 160, 3), np.uint8), number / 10)
        assert [path.name for path in disk.iterdir()] == ["a.mp4"]
        kept = len(read(disk / "a.mp4")[0])
        with av.open(str(disk / "a.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == kept > 20


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.avi", r"ends in \.mp4"),
        ("missing/a.mp4", "no such file or directory"),
        ("file/a.mp4", "not a directory"),
        ("folder.mp4", "is a directory"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match=words) as caught:
        VideoRecorder(tmp_path / name)
    assert "\n" not in str(caught.value)
