"""How films, in files and at URLs, are opened, with limits."""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av

from fer.pictures import MAX_PIXELS

FILM_SUFFIXES = tuple(".mp4 .m4v .mov .mkv .webm .avi .3gp .mpg .mpeg .ts .wmv".split())
"""How the names of films end."""

DEFAULT_RATE = 25.0
"""Frames a second of a film that does not say."""

TIMEOUT_S = 10.0
"""Seconds for a URL to answer."""

# How many bytes a file should have, by its format: a pattern whose first group is the number
# that says so, and how `struct` reads that number.
_SIZES = {
    # A second group says how long the list of pictures is: the index after it may be missing.
    "avi": (rb"RIFF(.{4}).*?LIST(.{4})movi", "<I"),
    "asf": (re.escape(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + b".{24}(.{8})", "<Q"),
    "flv": (rb"\x08filesize\0(.{8})", ">d"),
}
_HEAD = 64 * 1024  # bytes at the beginning, in which that number is
_UNKNOWN = (0, 2**32 - 1)
_INEXACT = 1024  # bytes by which programs are mistaken
_PIECES = (b"moof", b"mdat")  # boxes of MP4 that hold pictures, or say which are to follow
_MOST_BOXES = 200_000  # of a file that is looked through: those of a day


def open_container(source: str, max_pixels: int = MAX_PIXELS, formats: str = "") -> Any:
    """Open a file or a URL with FFmpeg.

    Args:
        source: A path or a URL.
        max_pixels: Of a larger frame no pixel is decoded to find out what the file holds.
        formats: FFmpeg's names of those that are opened, with commas between; empty for all,
            among them playlists, which name other files.

    Returns:
        The input of PyAV, for which the caller cares.

    Raises:
        av.FFmpegError: It cannot be opened.
    """
    # A name with a colon would be taken for a protocol.
    name = source if "://" in source else f"file:{source}"
    options = {"max_pixels": str(max_pixels)} | ({"format_whitelist": formats} if formats else {})
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


def is_broadcast(stream: Any) -> bool:
    """Whether the file of PyAV's stream is made for sending.

    It says nowhere how long it is, and by its standard, ISO 13818, there is at most 0.7 s
    from one time to the next.
    """
    return stream.container.format.name in ("mpegts", "mpeg")


def missing_bytes(container: Any) -> int | None:
    """Tell how many bytes of a file are missing at its end.

    Args:
        container: PyAV's input.

    Returns:
        0 of a file that has all its pictures; None if it does not say how many bytes it should
        have, or is none. An AVI of several parts says only how long the first is, an MP4 how
        long its pieces are, but not how many there should be.
    """
    path = Path(container.name.removeprefix("file:"))
    if not path.is_file():
        return None
    if "mp4" in container.format.name:
        with path.open("rb") as file:
            end = max((end for kind, end in _boxes(file) if kind in _PIECES), default=0)
        return max(0, end - container.size) or None
    if container.format.name not in _SIZES:
        return None
    pattern, kind = _SIZES[container.format.name]
    with path.open("rb") as file:
        found = re.search(pattern, file.read(_HEAD), re.DOTALL)
        if not found:
            return 0 if container.format.name == "flv" and _ends_with_tag(file) else None
    stated = [struct.unpack(kind, size)[0] for size in found.groups()]
    if any(size in _UNKNOWN or not 0 < size < 2**63 for size in stated):
        return None
    if container.format.name == "avi":  # counted from there
        stated = [size + found.end(group) for group, size in enumerate(stated, 1)]
    missing, of_pictures = (int(end) - container.size for end in (stated[0], stated[-1]))
    if missing < -_INEXACT:
        return None
    return max(0, of_pictures) if missing > _INEXACT else 0


def cut_off_half_piece(path: Path) -> None:
    """Take from the end of an MP4 in pieces one that found no room, which players stumble over."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        boxes = list(_boxes(file))
        whole = [end for kind, end in boxes if kind == b"mdat" and end <= size]
        if whole and boxes[-1][1] > size:
            file.truncate(whole[-1])


def _ends_with_tag(file: BinaryIO) -> bool:
    """Whether an FLV ends with a whole packet: after each it says how long that was."""
    try:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read())
        file.seek(-4 - length, os.SEEK_END)
    except OSError:  # before its beginning
        return False
    return int.from_bytes(file.read(4)[1:]) == length - 11


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Give the kind of each box of an MP4 and where it ends; the last may be longer than the file.

    A box begins with its length in bytes and its kind (ISO 14496-12). After a length of 1
    comes a longer one; with 0 it goes on to the end, wherever that is.
    """
    end, size = 0, os.fstat(file.fileno()).st_size
    for _ in range(_MOST_BOXES):
        if end + 8 > size:
            return
        file.seek(end)
        head = file.read(16)
        length, kind = struct.unpack(">I4s", head[:8])
        length = int.from_bytes(head[8:]) if length == 1 else length
        if length < 8:
            return
        end += length
        yield kind, end
