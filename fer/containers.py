"""How films, in files and at URLs, are opened, with limits, and how their time is counted."""

import math
from typing import Any

import av

from fer.pictures import MAX_PIXELS

FILM_SUFFIXES = tuple(".mp4 .m4v .mov .mkv .webm .avi .3gp .mpg .mpeg .ts .wmv".split())
"""How the names of films end."""

TIMEOUT_S = 10.0
"""Seconds for a URL to answer."""

_CLOCK_JUMP_S = 1.0  # a stream whose times run back by more was set to another clock


def open_container(source: str, max_pixels: int = MAX_PIXELS, **options: str) -> Any:
    """Open a file or a URL with FFmpeg.

    Args:
        source: A path or a URL.
        max_pixels: Of a larger frame no pixel is decoded to find out what the file holds.
        **options: Of FFmpeg.

    Returns:
        The input of PyAV, for which the caller cares.

    Raises:
        av.FFmpegError: It cannot be opened.
    """
    # A name with a colon would be taken for a protocol.
    name = source if "://" in source else f"file:{source}"
    options["max_pixels"] = str(max_pixels)
    # Titles need not be UTF-8.
    return av.open(name, timeout=TIMEOUT_S, metadata_errors="replace", options=options)


def video_streams(container: Any) -> list[Any]:
    """Give the streams of PyAV's input that are films and can be decoded; a cover is none."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context and not stream.disposition & av.stream.Disposition.attached_pic
    ]


def is_avi(stream: Any) -> bool:
    """Whether the file of PyAV's stream says only when a frame is decoded, not when it is shown."""
    return bool(stream.container.format.name == "avi")


class Clock:
    """Counts the time of a stream, and goes on where the stream's own times begin anew.

    Its pictures and its sound are in step if the clocks of both begin with the
    pictures: a recording of a broadcast begins with some that cannot be decoded.

    Args:
        pictures: PyAV's stream, where time begins; if it does not say, with the first that comes.

    Attributes:
        zero_s: What the stream now calls the beginning, in seconds.
        end_s: When what came last is over, in seconds since the beginning.
    """

    def __init__(self, pictures: Any) -> None:
        self.zero_s: float | None = None
        if pictures.start_time is not None and pictures.time_base and not is_avi(pictures):
            self.zero_s = float(pictures.start_time * pictures.time_base)
        self.end_s, self._last_s = 0.0, -math.inf

    def count(self, own_s: float | None, lasts_s: float) -> float:
        """Tell when a frame or packet comes, in seconds since the beginning.

        Args:
            own_s: When it comes by the stream's own times; None if it does not say.
            lasts_s: How long it lasts.
        """
        time_s = self.end_s
        if own_s is not None:
            if self.zero_s is None:
                self.zero_s = own_s
            if own_s - self.zero_s < self._last_s - _CLOCK_JUMP_S:
                self.zero_s = own_s - self.end_s
            time_s = own_s - self.zero_s
        self.end_s, self._last_s = time_s + lasts_s, time_s
        return time_s
