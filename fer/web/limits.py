"""Which films the server takes."""

from dataclasses import dataclass
from pathlib import Path

import av

from fer.clock import clock
from fer.containers import open_container, video_streams
from fer.errors import SourceError

MAX_MINUTES = 10
"""Length of the longest film."""

MAX_SIZE = (1920, 1080)
"""Width and height of the largest pictures in pixels, or the other way round."""

LIMITS = f"Up to {MAX_MINUTES} minutes, {MAX_SIZE[0]} × {MAX_SIZE[1]} pixels"
"""Both, for people."""

FORMATS = "mov,matroska,webm,avi,mpeg,mpegts,asf"
"""FFmpeg's names of what is opened, no more: a playlist could name files of the server."""

_MAX_PIXELS = MAX_SIZE[0] * MAX_SIZE[1]

MAX_DECODED = 2 * _MAX_PIXELS
"""Pixels of the largest frame that is decoded, whatever a file says of itself: some hold rows
that are not shown."""


@dataclass(frozen=True)
class Film:
    """A film that may be read.

    Attributes:
        name: As the visitor calls it; for display only.
        path: Where it is kept.
        length_s: How long it is, in seconds; None if it does not say.
    """

    name: str
    path: Path
    length_s: float | None


def check_film(path: Path, name: str) -> Film:
    """Look whether a film can be read here.

    Args:
        path: Where it is.
        name: What the visitor calls it.

    Raises:
        SourceError: It is no film, too long or too large.
    """
    try:
        with open_container(str(path), MAX_DECODED, FORMATS) as container:
            length_s = (container.duration or 0) / av.time_base
            sizes = [(stream.width, stream.height) for stream in video_streams(container)]
    except (av.FFmpegError, OSError) as error:
        raise SourceError(
            f"{name} cannot be read as a video; expected a film, such as an .mp4 file."
        ) from error
    if not sizes:
        raise SourceError(f"{name} holds no video; expected a film with pictures.")
    if any(width * height > _MAX_PIXELS for width, height in sizes):
        width, height = max(sizes)
        raise SourceError(
            f"{name} has {width} × {height} pixels; "
            f"expected {MAX_SIZE[0]} × {MAX_SIZE[1]} at most: make a smaller copy."
        )
    if length_s > MAX_MINUTES * 60 + 1:
        raise SourceError(
            f"{name} lasts {clock(length_s)}; expected {clock(MAX_MINUTES * 60)} at most: "
            "cut out a part of it."
        )
    return Film(name, path, length_s if length_s > 0 else None)
