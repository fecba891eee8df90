"""Cameras, files and streams in."""

import itertools
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt

from fer.containers import TIMEOUT_S, open_container, video_streams
from fer.errors import SourceError
from fer.pictures import MAX_PIXELS

CAMERA_SIZE = (640, 480)
"""Width and height asked of a camera, in pixels: as much as the pipeline looks at, and fast."""

_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_CAMERA_TRIES = 5  # reads without a picture after which a camera counts as gone
_CLOCK_JUMP_S = 1.0  # a stream whose times run back by more was set to another clock
_DEFAULT_RATE = 25.0  # frames a second of a file that does not say

Frame = tuple[npt.NDArray[np.uint8], float]
"""A BGR image, uint8 of shape (H, W, 3), and its time in seconds since the start."""


class Source(ABC):
    """Frames from somewhere, to be iterated once; as a context manager it lets go of them.

    Iterating gives `Frame`s, whose times never run backwards, and raises
    `SourceError` where the frames end before their time.

    Attributes:
        live: The frames come at their own pace, and the one to see is the newest.
    """

    live: bool

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Give the frames."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the camera or file; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_source(source: str, max_pixels: int = MAX_PIXELS) -> Source:
    """Open what a person named.

    Args:
        source: Number of a camera (``"0"``), path of a video or a picture, or a URL.
        max_pixels: Of a larger frame of a file no pixel is decoded.

    Returns:
        Its frames. A picture is a video of one frame.

    Raises:
        SourceError: There is no such camera or file, or it holds no pictures.
    """
    if source.isdecimal():
        return CameraSource(int(source))
    return FileSource(source, max_pixels)


class CameraSource(Source):
    """A camera of this machine.

    Args:
        number: 0 for the first.

    Raises:
        SourceError: There is none of that number, or it cannot be used.
    """

    live = True

    def __init__(self, number: int) -> None:
        self._number = number
        level = cv2.utils.logging.getLogLevel()
        # OpenCV would report the missing camera in lines of its own.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._camera = cv2.VideoCapture(number, _BACKENDS.get(sys.platform, cv2.CAP_ANY))
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._camera.isOpened():
            raise SourceError(
                f"There is no camera {number}, or this program may not use it; "
                "expected the number of a camera (0 is the first), a video file or a URL."
            )
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_SIZE[0])
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_SIZE[1])
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are of no use

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for count in itertools.count():
            for _ in range(_CAMERA_TRIES):
                read, frame = self._camera.read()
                if read:
                    break
            else:
                if count == 0:
                    raise SourceError(
                        f"Camera {self._number} gives no picture: "
                        "close other programs that may be using it."
                    )
                raise SourceError(
                    f"Camera {self._number} gives no more pictures: is it unplugged? "
                    "Plug it in and start again."
                )
            yield np.asarray(frame, np.uint8), time.monotonic() - start

    def close(self) -> None:
        """Let go of the camera; a second time does nothing."""
        self._camera.release()


class FileSource(Source):
    """A video or picture file, or a URL, read by FFmpeg.

    Frames are turned upright as the file says. Damaged parts are passed over;
    the error is raised after the last frame that could be read.

    Args:
        source: A path or a URL.
        max_pixels: Of a larger frame no pixel is decoded.

    Raises:
        SourceError: It cannot be opened, holds no video, or too large a one.
    """

    live = False

    def __init__(self, source: str, max_pixels: int = MAX_PIXELS) -> None:
        self._name = source
        self._fault = ""
        if "://" not in source and not Path(source).is_file():
            what = "is a folder" if Path(source).is_dir() else "does not exist"
            raise SourceError(
                f"'{source}' {what}; expected a camera number, a video file or a URL."
            )
        try:
            self._container = open_container(source, max_pixels)
        except av.FFmpegError as error:
            raise SourceError(f"{source} cannot be read as a video: {_reason(error)}.") from error
        videos = video_streams(self._container)
        # FFmpeg draws the letters of a text file as pictures.
        if not videos or self._container.format.name == "tty":
            self.close()
            raise SourceError(f"{source} holds no video.")
        self._stream = videos[0]
        self._stream.thread_type = "AUTO"
        codec = self._stream.codec_context
        # Frames may be larger than the file says.
        codec.options = {"max_pixels": str(max_pixels)}
        if codec.width * codec.height > max_pixels:
            self.close()
            raise SourceError(
                f"{source} is too large: expected frames of {max_pixels:,} pixels at most."
            )

    def __iter__(self) -> Iterator[Frame]:
        step = 1 / float(self._stream.average_rate or _DEFAULT_RATE)
        time_s, zero = -step, None
        for frame in self._frames():
            if zero is None and frame.time is not None:
                zero = frame.time
            if zero is None or frame.time is None:
                time_s += step
            else:
                if frame.time - zero < time_s - _CLOCK_JUMP_S:
                    zero = frame.time - time_s - step
                time_s = max(time_s + 0.001, frame.time - zero)
            yield upright(frame), time_s
        if time_s < 0:
            raise SourceError(f"No picture of {self._name} could be read{self._fault}.")
        self._check_length(time_s + step)
        if self._fault:
            raise SourceError(f"{self._name} could be read only in part{self._fault}.")

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        self._container.close()

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Decode all that can be decoded; what could not is noted in `_fault`."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._fault = f": {_reason(error)}"
                packet = None
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
        stream, stated_s = self._stream, 0.0
        if stream.duration and stream.time_base:
            stated_s = float(stream.duration * stream.time_base)
        elif len(self._container.streams) == 1:
            stated_s = (self._container.duration or 0) / av.time_base
        if not self._fault and stated_s - read_s > 1:
            self._fault = f": it ends after {read_s:.1f} of {stated_s:.1f} seconds"


def upright(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """Turn a decoded frame into a BGR image, uint8 of shape (H, W, 3), the right side up."""
    image = frame.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _reason(error: av.FFmpegError) -> str:
    if isinstance(error, av.error.ExitError):
        return f"no answer within {TIMEOUT_S:g} seconds"
    return str(error.strerror or error).lower()
