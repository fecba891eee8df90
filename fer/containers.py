"""How files of films, and URLs, are opened: with limits, before anything is decoded."""

from typing import Any

import av

from fer.pictures import MAX_PIXELS

TIMEOUT_S = 10.0
"""Seconds for a URL to answer."""


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
