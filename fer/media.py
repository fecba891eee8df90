"""What a person names, opened: cameras, films, pictures and streams."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from fer.cameras import CameraSource, camera_number
from fer.containers import (
    DEFAULT_RATE,
    TIMEOUT_S,
    is_avi,
    is_broadcast,
    missing_bytes,
    open_container,
    video_streams,
)
from fer.errors import SourceError
from fer.files import check_file
from fer.packets import FilmPackets
from fer.pictures import MAX_PIXELS, SUFFIXES, read_picture
from fer.sources import Source, TimedFrame, public_name

__all__ = ["FileSource", "PictureSource", "Source", "TimedFrame", "open_source"]

_SHORTEST_S = 0.001  # between two frames
_WIDEST = 3.0  # pixels that are said to be wider, or higher, are damage


def open_source(source: str, max_pixels: int = MAX_PIXELS, formats: str = "") -> Source:
    """Open what a person named.

    Args:
        source: Number of a camera (``"0"``) or its device (``"/dev/video0"``), path of a
            video or a picture, or a URL.
        max_pixels: Of a larger frame of a file no pixel is decoded.
        formats: Of films, as `fer.containers.open_container` takes them.

    Returns:
        Its frames. A picture is a video of one frame.

    Raises:
        SourceError: There is no such camera or file, or it holds no pictures.
    """
    number = camera_number(source)
    if number is not None:
        return CameraSource(number)
    suffix = Path(source).suffix.lower()
    if suffix in SUFFIXES and suffix != ".gif" and "://" not in source:
        return PictureSource(Path(source), max_pixels)
    return FileSource(source, max_pixels, formats)


class PictureSource(Source):
    """A picture, as a film of one frame.

    Args:
        path: As `fer.pictures.read_picture` takes it.
        max_pixels: Of a larger one no pixel is decoded.

    Raises:
        SourceError: There is none, or it is damaged, or too large.
    """

    live = False

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS) -> None:
        self._picture = read_picture(path, max_pixels=max_pixels)

    def __iter__(self) -> Iterator[TimedFrame]:
        yield self._picture, 0.0

    def close(self) -> None:
        """Do nothing: nothing is held open."""


class FileSource(Source):
    """A film or an animation in a file, or a URL, read by FFmpeg.

    Frames are turned upright as the file says, and where its pixels are not
    square, as in many broadcasts, stretched to what one is to see; all boxes are
    in pixels of what comes of that. Their times count from where the file begins,
    though its first frames may be damaged: damaged parts are passed over; the
    error is raised after the last frame that could be read.

    Args:
        source: A path or a URL.
        max_pixels: Of a larger frame no pixel is decoded.
        formats: As `fer.containers.open_container` takes them.

    Raises:
        SourceError: It cannot be opened, holds no video, or too large a one.
    """

    live = False

    def __init__(self, source: str, max_pixels: int = MAX_PIXELS, formats: str = "") -> None:
        self._name = public_name(source)
        self._fault = ""
        path = Path(source)
        if "://" not in source:
            check_file(path, "a camera number, a video file or a URL", f"'{source}'")
        try:
            self._container = open_container(source, max_pixels, formats)
        except av.FFmpegError as error:
            empty = path.is_file() and not path.stat().st_size
            why = "it is empty" if empty else _reason(error)
            raise SourceError(f"{self._name} cannot be read as a video: {why}.") from error
        videos = video_streams(self._container)
        # FFmpeg draws the letters of a text file as pictures.
        if not videos or self._container.format.name == "tty":
            self.close()
            raise SourceError(f"{self._name} holds no video.")
        self._stream = videos[0]
        self._stream.thread_type = "AUTO"
        codec = self._stream.codec_context
        # Frames may be larger than the file says.
        codec.options = {"max_pixels": str(max_pixels)}
        if codec.width * codec.height > max_pixels:
            self.close()
            raise SourceError(
                f"{self._name} is too large: expected frames of {max_pixels:,} pixels at most."
            )

    def __iter__(self) -> Iterator[TimedFrame]:
        stream = self._stream
        step_s = 1 / float(stream.average_rate or DEFAULT_RATE)
        packets = FilmPackets(stream, self._container.streams.best("audio"))
        time_s, end_s, delay_s = -_SHORTEST_S, 0.0, 0.0
        for frame in self._frames(iter(packets)):
            if is_avi(stream):  # frames come in order, and FFmpeg guesses when each is shown
                frame.pts = frame.dts
                delay_s = delay_s if time_s >= 0 else frame.time or 0.0
            own_s = end_s if frame.time is None else frame.time - delay_s
            time_s = max(time_s + _SHORTEST_S, own_s)
            end_s = time_s + (float(frame.duration * (frame.time_base or 0)) or step_s)
            yield upright(frame, stream.sample_aspect_ratio), time_s
        if time_s < 0:
            raise SourceError(f"No picture of {self._name} could be read{self._fault}.")
        self._check_length(max(end_s, packets.end_s))
        if self._fault:
            raise SourceError(f"{self._name} could be read only in part{self._fault}.")

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        self._container.close()

    def _frames(self, packets: Iterator[Any]) -> Iterator[av.VideoFrame]:
        """Decode all that can be decoded; what could not is noted in `_fault`."""
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._fault = f": {_reason(error)}"
                packet = None
            if packet is not None and packet.stream is not self._stream:
                continue
            try:
                # At the end the decoder still holds a few frames.
                frames: list[Any] = self._stream.decode(None) if packet is None else packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError as error:
                self._fault = f": {_reason(error)}"
                frames = []
            yield from frames
            if packet is None:
                return

    def _check_length(self, read_s: float) -> None:
        """Notice a file that was cut off, which FFmpeg takes for one that ends."""
        stated_s, missing = self._stated_s(), missing_bytes(self._container)
        if self._fault or missing == 0:
            return
        if stated_s - read_s > 1:
            self._fault = f": it ends after {read_s:.1f} of {stated_s:.1f} seconds"
        elif missing:
            self._fault = f": its last {missing:,} bytes are missing, after {read_s:.1f} seconds"

    def _stated_s(self) -> float:
        """How long the file says that its pictures go on; 0 if it does not say."""
        stream, container = self._stream, self._container
        if is_broadcast(stream):  # FFmpeg takes it from the last time, which may be wrong
            return 0.0
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        # Matroska has the time of a stream's end among the titles.
        written = re.fullmatch(
            r"(\d{2,4}):(\d\d):(\d\d\.\d{1,9})", stream.metadata.get("DURATION", "")
        )
        if written:
            hours, minutes, seconds = map(float, written.groups())
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
            return hours * 3600 + minutes * 60 + seconds - start_s
        if len(container.streams) == 1 and container.duration:
            return float(container.duration / av.time_base)
        return 0.0


def upright(frame: av.VideoFrame, pixel: Fraction | None = None) -> npt.NDArray[np.uint8]:
    """Turn a decoded frame into a BGR image, the right side up and neither squeezed nor stretched.

    Args:
        frame: As FFmpeg decodes it.
        pixel: Width of its pixels to their height; None for square ones.

    Returns:
        BGR image, uint8 of shape (H, W, 3).
    """
    wider = float(pixel or 1)
    if not 1 / _WIDEST < wider < _WIDEST:
        wider = 1.0
    image = frame.to_ndarray(
        format="bgr24",
        width=round(frame.width * max(wider, 1)),
        height=round(frame.height / min(wider, 1)),
    )
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _reason(error: av.FFmpegError) -> str:
    if isinstance(error, av.error.ExitError):
        return f"no answer within {TIMEOUT_S:g} seconds"
    return str(error.strerror or error).lower()
