"""Videos with sound, long ones, and one of a phone that is turned round."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.synthetic import Face, FaceVideo, write_video

CLOCK = Fraction(1, 90_000)
SMALL = (Face(center=(160, 120), sway=(20, 10), side=100),)


def write_film(
    path: Path,
    times: list[float],
    sound: str | None = "aac",
    size: tuple[int, int] = (320, 240),
    sound_rate: int = 48_000,
    faces: tuple[Face, ...] = SMALL,
    later_s: float = 0.0,
) -> Path:
    """Write a video whose frames come at the given times, with a tone that ends then or later.

    Of the picture a second is made, and shown again and again.
    """
    pictures = list(FaceVideo(faces, seconds=1, fps=10, size=size).frames())
    step = times[-1] - times[-2]
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=round(1 / step), options={"preset": "ultrafast"}
        )
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = CLOCK
        audio = container.add_stream(sound, rate=sound_rate, layout="mono") if sound else None
        heard, silent = 0, round((times[-1] + step + later_s) * sound_rate)
        for number, time_s in enumerate(times):
            frame = av.VideoFrame.from_ndarray(pictures[number % len(pictures)], format="bgr24")
            frame.pts, frame.time_base = round(time_s / CLOCK), CLOCK
            container.mux(video.encode(frame))
            if audio:
                end = silent if time_s == times[-1] else round((time_s + step) * sound_rate)
                heard = _hear(container, audio, heard, min(end, silent))
        for stream in container.streams:
            container.mux(stream.encode(None))
    return path


def write_long_film(path: Path, seconds: int, fps: int) -> Path:
    """Write a second of film again and again, which is encoded only once."""
    once = write_film(path.with_name(f"once-{path.name}"), even_times(1, fps), sound=None)
    with av.open(str(once)) as given, av.open(str(path), "w") as film:
        stream = given.streams.video[0]
        copy = film.add_stream_from_template(stream)
        packets = [packet for packet in given.demux(stream) if packet.size]
        for turn in range(seconds):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.stream, again.time_base = copy, packet.time_base
                again.pts = packet.pts + round(turn / packet.time_base)
                again.dts = packet.dts + round(turn / packet.time_base)
                again.is_keyframe = packet.is_keyframe
                film.mux(again)
    once.unlink()
    return path


def write_turned_film(path: Path) -> Path:
    """Write a second with a face in 320x240 and one in 240x320: a phone that is turned round."""
    parts = []
    for width, height in ((320, 240), (240, 320)):
        face = Face(center=(width / 2, height - 90), sway=(10, 5), side=100)
        frames = FaceVideo((face,), seconds=1, fps=10, size=(width, height)).frames()
        parts.append(write_video(path.with_name(f"{width}.ts"), frames, 10))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


def _hear(container: Any, audio: Any, start: int, end: int) -> int:
    """Add a tone from one sample to another, where there is one."""
    if start < end:
        wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(start, end) / audio.rate)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[np.newaxis], "s16", "mono")
        frame.sample_rate, frame.pts = audio.rate, start
        container.mux(audio.encode(frame))
    return end


def set_time_back(path: Path, stream: bytes, number: int, seconds: float) -> None:
    """Make one of the times in an MPEG-TS file wrong, as bad reception does.

    The stream is called ``b"\xc0"`` where it is sound, and ``b"\xe0"`` where it is pictures.
    """
    data, at = bytearray(path.read_bytes()), -1
    for _ in range(number):
        at = data.index(b"\0\0\1" + stream, at + 1)  # where a packet begins
    time = data[at + 9 : at + 14]  # 33 bits, between others
    pts = (time[0] >> 1 & 7) << 30 | time[1] << 22 | time[2] >> 1 << 15 | time[3] << 7
    pts = (pts | time[4] >> 1) - round(seconds / CLOCK)
    time = (time[0] & 240 | pts >> 29 & 14 | 1, pts >> 22, pts >> 14 | 1, pts >> 7, pts << 1 | 1)
    data[at + 9 : at + 14] = bytes(part & 255 for part in time)
    path.write_bytes(data)


def set_length(path: Path, seconds: float) -> None:
    """Have a Matroska file say that it is so long."""
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # the element Duration, of 8 bytes: milliseconds
    path.write_bytes(data[:at] + struct.pack(">d", 1000 * seconds) + data[at + 8 :])


def even_times(seconds: float, fps: int) -> list[float]:
    return [number / fps for number in range(round(seconds * fps))]


def heard(path: Path) -> tuple[float, float, float]:
    """When the sound of a file begins and ends, in seconds, and its root mean square, of 1."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray().astype(float).ravel() for frame in frames])
    full = 1.0 if "flt" in frames[0].format.name else 32_768.0
    end = frames[-1].time + frames[-1].samples / frames[-1].sample_rate
    return frames[0].time, end, float(np.sqrt(np.mean(samples**2)) / full)
